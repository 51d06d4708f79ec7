package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// A page is what the audience reads.
type page struct {
	w      io.Writer
	colour bool
}

// A style is an ANSI escape sequence's number.
type style string

const (
	plain  style = "0"
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

// paint colours text where colours are wanted.
func (p *page) paint(s style, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func (p *page) line(s style, format string, values ...any) {
	fmt.Fprintln(p.w, p.paint(s, fmt.Sprintf(format, values...)))
}

// request prints a call with its arguments, a line each.
func (p *page) request(method, why string, arguments args) {
	if why != "" {
		why = p.paint(dim, "  # "+why)
	}
	p.line(plain, "\n%s%s", p.paint(bold, method), why)
	for _, a := range arguments {
		p.line(plain, "  → %s %s", p.paint(cyan, fmt.Sprintf("%-16s", a.name)), compact(a.value))
	}
}

// answer prints a result and how long it took.
func (p *page) answer(result json.RawMessage, took time.Duration) {
	text := string(result)
	if text == "null" {
		text = "done"
	}
	p.line(plain, "  ← %s %s", p.paint(green, text), p.paint(dim, fmt.Sprintf(" %.2f s", took.Seconds())))
}

// compact is a value as JSON on one line.
func compact(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// isTerminal tells a person's terminal from a file or a pipe. NO_COLOR asks for none (https://no-color.org).
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
