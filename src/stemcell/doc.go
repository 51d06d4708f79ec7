// Package stemcell reads what bosh upload-stemcell hands over, and describes it.
//
// [Read] streams the disk image out of a stemcell's archive, through three digests and into a store, in one
// pass and in bounded memory. [Properties] are the stemcell's cloud properties. A [Description] is what is
// kept beside the image: the sidecar <id>.json, and <id>.meta for tools that only want the MD5.
//
// An image is a whole disk, qcow2 or raw, as member root.img of a tar archive, plain or gzipped. Other
// formats are refused, and so are qcow2 images that need further files or a password.
//
// A light stemcell holds no image. Its cloud properties say where one is:
//
//	image_url: https://images.example.com/jammy.qcow2   # http, https or file, as Ironic fetches it
//	image_checksum: 9b3c…                               # hex: MD5, SHA-256 or SHA-512, told by its length
//	image_os_hash_algo: sha512                          # or these two in place of image_checksum
//	image_os_hash_value: 77aa…
//
// The formats: docs/interop/qcow2.txt of QEMU; the stemcell's shape is bosh-linux-stemcell-builder's.
package stemcell
