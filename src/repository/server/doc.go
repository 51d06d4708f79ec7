// Package server serves a directory by WebDAV, for stemcell images, config drives and metadata.
package server
