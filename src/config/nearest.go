package config

import "strings"

// Nearest returns the element of known that a writer of word most likely meant, or "" when none is near:
// at most a third of the letters differ, or one begins with the other. Case, "-" and "_" do not count. The
// first of equally near ones wins.
func Nearest(word string, known []string) string {
	w := fold(word)
	if len(w) < 2 || len(w) > 200 {
		return ""
	}
	best, least := "", len(w)/3+2
	for _, k := range known {
		f := fold(k)
		d := distance(w, f)
		if strings.HasPrefix(f, w) || len(f) > 3 && strings.HasPrefix(w, f) {
			d = min(d, len(w)/3+1)
		}
		if d < least && d < len(f) {
			best, least = k, d
		}
	}
	return best
}

var folder = strings.NewReplacer("-", "", "_", "")

func fold(s string) string { return folder.Replace(strings.ToLower(s)) }

// distance counts the letters to insert, delete, change or swap with their neighbour to make b of a
// (Damerau-Levenshtein, optimal string alignment).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
