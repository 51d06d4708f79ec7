package repository

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestSourceKeepsTheEndOfWhatIsTooLong: whoever reads no more than was announced, as net/http does, must not get
// it all when there is more. The far end would have a whole file, and might say so before anybody looks further.
func TestSourceKeepsTheEndOfWhatIsTooLong(t *testing.T) {
	const announced = 10
	for _, content := range []string{"0123456789", "0123456789+", "0123456789 and more", "01234", ""} {
		for name, r := range map[string]io.Reader{
			"plain": strings.NewReader(content), "bytes": iotest.OneByteReader(strings.NewReader(content)),
			"end with bytes": iotest.DataErrReader(strings.NewReader(content)),
		} {
			s := &source{ctx: t.Context(), r: r, size: announced}
			got, err := io.ReadAll(io.LimitReader(s, announced))
			if len(content) == announced {
				if string(got) != content || err != nil {
					t.Errorf("%s: read %q, %v; want all of it", name, got, err)
				}
			} else if len(got) == announced || !errors.Is(err, ErrSize) {
				t.Errorf("%s: read %q of %q, %v; want less, and ErrSize", name, got, content, err)
			}
			if _, err := s.take(); (len(content) == announced) != (err == nil) {
				t.Errorf("%s: take() of %q = %v", name, content, err)
			}
		}
	}
}
