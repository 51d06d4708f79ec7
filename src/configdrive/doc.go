// Package configdrive makes config drives: the small disk that tells a server's first boot who it is.
//
// [Tree] lays out the files that readers look for, [Build] makes the disk's image of them, [Encode] the text that
// Ironic takes. The image is ISO 9660 with Rock Ridge names, volume label config-2, which Linux mounts without
// being told what it is; equal files give equal bytes, and nothing is written to disk on the way.
//
// It reads no image, and knows nothing of what the files say. The limits are those of the deploy ramdisk: 64 MiB
// unpacked (ironic-python-agent, partition_utils.py).
//
// Specified in ECMA-119 (ISO 9660), IEEE P1281 and P1282 (SUSP and Rock Ridge, 1.09), and "Config drives" in
// OpenStack Nova's user documentation.
package configdrive
