package server

import "sync"

// answers keeps what GET has answered lately: agents ask again and again, and in crowds. It is for a store that
// nobody else writes, and it never holds what is older than the store.
type answers struct {
	mu    sync.RWMutex
	byID  map[string]*given
	bytes int
	age   uint64 // how often something was forgotten
}

// A given answer is its body and its ETag.
type given struct {
	body []byte
	tag  string
}

// mostAnswers is how many bytes are kept. Which ones go is left to chance.
const mostAnswers = 8 << 20

// find returns the answer for id, or nil, and an age to keep a new one with.
func (a *answers) find(id string) (*given, uint64) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.byID[id], a.age
}

// keep takes an answer that was made of what the store had at that age; whatever has changed since, it is dropped.
func (a *answers) keep(id string, g *given, age uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if age != a.age || len(g.body) > mostAnswers/8 {
		return
	}
	if a.byID == nil {
		a.byID = map[string]*given{}
	}
	a.drop(id)
	a.byID[id] = g
	a.bytes += len(g.body)
	for other := range a.byID {
		if a.bytes <= mostAnswers {
			break
		}
		a.drop(other)
	}
}

// forget is called when an id has changed, before anybody is told so.
func (a *answers) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.age++
	a.drop(id)
}

func (a *answers) drop(id string) {
	if old := a.byID[id]; old != nil {
		a.bytes -= len(old.body)
		delete(a.byID, id)
	}
}
