// Package tnef reads the Transport Neutral Encapsulation Format, the winmail.dat of Outlook ([MS-OXTNEF]): the files in
// it and the body. It is pure, total and bounded.
package tnef
