// Package html makes two things of the HTML of a mail: plain text that reads well, and HTML that is safe to show. Both
// are total, deterministic, and bounded in time and memory, whatever the input.
//
// A scanner reads text and tags, a walker nests them into elements as a browser does, and two sinks take what comes out:
// plainText lays out Text, safeWriter writes what Safe gives to a policy of bluemonday. No tree is built.
//
// Why our own layout. Libraries were tried on newsletters, Outlook mail and attacks: html-to-markdown v2.5.2,
// k3a/html2text v1.3.0 and jaytaylor/html2text. All of them show hidden previews. k3a's shows conditional comments and
// runs cells together; the others draw the tables of a layout as a grid; html-to-markdown escapes stars and brackets;
// jaytaylor's does not build with a tablewriter of today. Honest HTML took them 70 to 300 ms per MB, and nested
// formatting up to 1.8 s; Text takes 6 to 25 ms on the same machine.
//
// Why our own scanner. The tokenizer of golang.org/x/net/html keeps all attributes of a tag: one tag of 1 MB leaves
// 16 MB in use. It gives up the rest of a mail for a quotation mark that never ends. Its parser stays, in the tests, as
// the judge of what the walker makes. bluemonday, which uses that tokenizer, sees only what the walker has put in order.
package html
