package imap

import (
	"slices"

	goimap "github.com/emersion/go-imap/v2"
)

// maxSetRanges bounds the ranges of one set, so that a command stays well below 8 KiB: 300 ranges of two 10-digit UIDs.
const maxSetRanges = 300

// uidSets makes sets of exactly these UIDs, as compact as can be, each short enough for one command.
func uidSets(uids []uint32) []goimap.UIDSet {
	uids = slices.Clone(uids)
	slices.Sort(uids)
	var sets []goimap.UIDSet
	var set goimap.UIDSet
	for _, u := range slices.Compact(uids) {
		uid := goimap.UID(u)
		if n := len(set); n > 0 && set[n-1].Stop+1 == uid {
			set[n-1].Stop = uid
			continue
		}
		if len(set) == maxSetRanges {
			sets, set = append(sets, set), nil
		}
		set = append(set, goimap.UIDRange{Start: uid, Stop: uid})
	}
	if len(set) > 0 {
		sets = append(sets, set)
	}
	return sets
}

// uidsIn are those of uids that lie in set.
func uidsIn(set goimap.UIDSet, uids []uint32) []uint32 {
	var in []uint32
	for _, u := range uids {
		if set.Contains(goimap.UID(u)) {
			in = append(in, u)
		}
	}
	return in
}
