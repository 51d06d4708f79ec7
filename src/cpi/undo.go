package cpi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// An undo takes back what an action has done when it fails, last first.
type undo struct {
	limit time.Duration // for all of it
	steps []undoStep
}

type undoStep struct {
	what string
	do   func(context.Context) error
}

// add registers how to take a step back. Register a step that can half succeed before it is done.
func (u *undo) add(what string, do func(context.Context) error) {
	u.steps = append(u.steps, undoStep{what, do})
}

// dropLast forgets the step registered last: it turned out that there is nothing to take back.
func (u *undo) dropLast() { u.steps = u.steps[:len(u.steps)-1] }

// unless runs the undo when err is not nil and returns err, with what could not be taken back.
func (u *undo) unless(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), u.limit)
	defer cancel()
	for _, step := range slices.Backward(u.steps) {
		if undoErr := step.do(ctx); undoErr != nil && !errors.Is(undoErr, errOvertaken) {
			err = &undoneError{error: err, left: fmt.Errorf("%s: %w", step.what, undoErr)}
		}
	}
	return err
}

// An undoneError is an action's error with what the undo left behind. It unwraps to the action's own error
// alone: what went wrong first decides what the Director does.
type undoneError struct {
	error
	left error
}

func (e *undoneError) Error() string {
	return e.error.Error() + "; could not undo: " + e.left.Error()
}

func (e *undoneError) Unwrap() error { return e.error }
