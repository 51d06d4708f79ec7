// Package journal keeps small texts under names in one file on disk, and answers a write only when it would
// survive a power cut.
//
// Writers that come at the same time share one write and one sync: the first leads, writes for all that wait,
// and hands the lead on. Texts stay in the file, memory holds where they are. A reader sees what is on disk, never
// what is about to be.
//
// The file is a header with a random mark, and frames. A frame bears the mark, a number one higher than the last
// one's, a checksum, and the changes of all writers that shared it. So the two ways in which a file can be
// incomplete are told apart when it is opened: a frame that is not whole and is the last one was never answered (a
// power cut came first), and is dropped; one that is followed by a whole frame was answered and has been damaged
// since, which is [ErrDamaged]. Damage in the very last frame looks like a power cut. The space after the last
// frame is filled with zeros beforehand, because a sync that need not change a file's length is twice as fast.
//
// When more than half of the file is old, what is current is copied to a new file, which then takes its name.
//
// It cannot list texts in order, and one process at a time may have the file. Start at [Open].
package journal
