// Package tnef reads the Transport Neutral Encapsulation Format, the winmail.dat of Outlook ([MS-OXTNEF]): the files in
// it and the body, and it makes text or HTML of the body that Outlook writes as RTF ([MS-OXRTFCP], [MS-OXRTFEX]).
//
// A Decoder takes the stream in pieces of any size and hands on what lies in it as it comes, so that memory does not grow
// with the stream. It is pure and total: whatever the octets, it gives what can be read and says what was damaged.
package tnef
