package daemon

import (
	"io"
	"net/http/httptest"
	"os"
	"testing"
)

// A taker is net/http's writer as far as files go.
type taker struct {
	*httptest.ResponseRecorder
	t     *testing.T
	calls int
}

// ReadFrom wants what the kernel can send by itself: a file, or a file within one limit.
func (k *taker) ReadFrom(src io.Reader) (int64, error) {
	k.calls++
	limited, ok := src.(*io.LimitedReader)
	if !ok {
		k.t.Errorf("net/http is given a %T; want a limited reader", src)
		return 0, io.EOF
	}
	if _, ok := limited.R.(*os.File); !ok {
		k.t.Errorf("net/http is given a %T within a limit; want a file", limited.R)
	}
	return io.Copy(io.Discard, src)
}

func TestFilesGoByTheKernel(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 2*slice + 1000
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]func() io.Reader{
		"file within a limit":  func() io.Reader { return &io.LimitedReader{R: f, N: size} },
		"file, but not all":    func() io.Reader { return &io.LimitedReader{R: f, N: size - 500} },
		"limit beyond the end": func() io.Reader { return &io.LimitedReader{R: f, N: size + 500} },
	} {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		want := int64(size)
		if name == "file, but not all" {
			want = size - 500
		}
		k := &taker{ResponseRecorder: httptest.NewRecorder(), t: t}
		x := &exchange{ResponseWriter: k, limits: &Limits{}}
		n, err := io.Copy(x, src())
		if n != want || err != nil || x.sent != want || k.calls != 3 {
			t.Errorf("%s: %d bytes in %d slices, %d counted, %v; want %d in 3", name, n, k.calls, x.sent, err, want)
		}
	}
}
