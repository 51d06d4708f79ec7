//go:build integration

package rack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// bootSector is a program that writes a text to the serial port and stops, as a BIOS loads it from a disk or, without
// emulation, from a CD.
func bootSector(text string) []byte {
	const origin = 0x7c00
	code := []byte{
		0x31, 0xc0, //       xor  ax, ax
		0x8e, 0xd8, //       mov  ds, ax
		0xfc,             // cld
		0xbe, 0x00, 0x00, // mov  si, text
		0xac,       // next: lodsb
		0x84, 0xc0, //       test al, al
		0x74, 0x06, //       jz   halt
		0xba, 0xf8, 0x03, // mov  dx, 3f8h
		0xee,       //       out  dx, al
		0xeb, 0xf5, //       jmp  next
		0xf4,       // halt: hlt
		0xeb, 0xfd, //       jmp  halt
	}
	at := origin + len(code)
	code[6], code[7] = byte(at), byte(at>>8)
	sector := make([]byte, 512)
	copy(sector, append(append(code, text...), 0))
	sector[510], sector[511] = 0x55, 0xaa
	return sector
}

// bootImages makes a disk and a CD that say so when they are booted.
func bootImages(t *testing.T) (disk, cd string) {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o700); err != nil {
		t.Fatal(err)
	}
	disk, cd = filepath.Join(dir, "disk.img"), filepath.Join(dir, "cd.iso")
	write := func(path string, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(disk, append(bootSector("the disk is booted"), make([]byte, 1<<20)...))
	write(filepath.Join(tree, "boot.bin"), append(bootSector("the CD is booted"), make([]byte, 3*512)...))
	make := exec.CommandContext(t.Context(), program(t, "genisoimage", "genisoimage"),
		"-quiet", "-o", cd, "-b", "boot.bin", "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", tree)
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("genisoimage: %v: %s", err, out)
	}
	return disk, cd
}

// program returns its path; without it the test fails in CI and is skipped elsewhere.
func program(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	text := name + " is missing: apt-get install " + debian
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
	return ""
}
