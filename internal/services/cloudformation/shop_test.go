package cloudformation_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/cockroachdb/datadriven"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// shop is a room with two small resource types: boxes, and lids for them.
type shop struct {
	mu    sync.Mutex
	boxes map[string]*shopBox
	made  map[string]string // the tokens with which boxes were made, by the box's name
	// step, if set, is called at the beginning and at the end of everything that
	// is done in the shop; it may block.
	step func(ctx context.Context, what string)
	// forgetful shops do not know by the token that they made a box before.
	forgetful bool
}

// at is a step.
func (s *shop) at(ctx context.Context, what string) {
	if s.step != nil {
		s.step(ctx, what)
	}
}

func newShop() *shop { return &shop{boxes: map[string]*shopBox{}, made: map[string]string{}} }

type shopBox struct {
	size int
	note string
	tags map[string]string
	lids map[string]bool // by their ids
}

type boxProps struct {
	Name  *string `cfn:"Name,replace"`
	Size  *int    `cfn:"Size,required"`
	Note  *string `cfn:"Note"`
	Color *string `cfn:"Color,meaningless"`
	Tags  []struct {
		Key   string `cfn:"Key,required"`
		Value string `cfn:"Value,required"`
	} `cfn:"Tags"`
	Inside *struct {
		Depth *int `cfn:"Depth"`
	} `cfn:"Inside"`
}

type lidProps struct {
	Box *string `cfn:"Box,required,replace"`
}

func (s *shop) ResourceTypes() []resource.Type {
	return []resource.Type{
		resource.Define("Test::Shop::Box", resource.Handlers[boxProps]{
			Create: s.createBox, Update: s.updateBox, Delete: s.deleteBox, Attributes: []string{"Arn", "Label"},
			Identifier: []string{"Name"}, Read: s.readBox, List: s.listBoxes,
			Check: func(p *boxProps) []resource.Problem {
				if *p.Size > 100 {
					return []resource.Problem{{Path: []string{"Size"}, Text: "expected at most 100"}}
				}
				return nil
			},
		}),
		resource.Define("Test::Shop::Lid", resource.Handlers[lidProps]{Create: s.createLid, Delete: s.deleteLid}),
	}
}

func (s *shop) state(name string) resource.State {
	b := s.boxes[name]
	return resource.State{ID: name, Attributes: map[string]any{"Arn": "arn:box:" + name, "Label": fmt.Sprintf("%s/%d/%s", name, b.size, b.note)}}
}

func (s *shop) createBox(ctx context.Context, rq *resource.Request, p *boxProps) (resource.State, error) {
	name := ""
	if p.Name != nil {
		name = *p.Name
	} else {
		name = rq.Name(40)
	}
	s.at(ctx, "create "+rq.LogicalID)
	defer s.at(ctx, "created "+rq.LogicalID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if *p.Size < 0 {
		return resource.State{}, fmt.Errorf("a box of size %d cannot be made", *p.Size)
	}
	if s.boxes[name] != nil && (s.forgetful || s.made[name] != rq.Token) {
		return resource.State{}, fault.New("BoxAlreadyExists", 400, "box %s already exists", name)
	}
	s.made[name] = rq.Token
	s.boxes[name] = &shopBox{size: *p.Size, tags: rq.StackTags, lids: map[string]bool{}}
	if p.Note != nil {
		s.boxes[name].note = *p.Note
	}
	return s.state(name), nil
}

func (s *shop) updateBox(ctx context.Context, rq *resource.Request, id string, _, p *boxProps) (resource.State, error) {
	s.at(ctx, "update "+rq.LogicalID)
	defer s.at(ctx, "updated "+rq.LogicalID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if *p.Size < 0 {
		return resource.State{}, fmt.Errorf("a box cannot shrink to %d", *p.Size)
	}
	b := s.boxes[id]
	if b == nil {
		return resource.State{}, fmt.Errorf("no box %s", id)
	}
	b.size, b.note, b.tags = *p.Size, "", rq.StackTags
	if p.Note != nil {
		b.note = *p.Note
	}
	return s.state(id), nil
}

func (s *shop) deleteBox(ctx context.Context, rq *resource.Request, id string, _ *boxProps) error {
	s.at(ctx, "delete "+rq.LogicalID)
	defer s.at(ctx, "deleted "+rq.LogicalID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.boxes[id]; b != nil && len(b.lids) > 0 {
		return fmt.Errorf("box %s has a lid", id)
	} else if b != nil && b.note == "glued" {
		return fmt.Errorf("box %s is glued to the floor", id)
	}
	delete(s.boxes, id)
	return nil
}

func (s *shop) readBox(_ context.Context, _ *resource.Request, id string, _ *boxProps) (*boxProps, resource.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[id]
	if b == nil {
		return nil, resource.State{}, nil
	}
	p := &boxProps{Name: &id, Size: &b.size}
	if b.note != "" {
		p.Note = &b.note
	}
	return p, s.state(id), nil
}

func (s *shop) listBoxes(context.Context, *resource.Request, *boxProps) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.boxes)), nil
}

func (s *shop) createLid(ctx context.Context, rq *resource.Request, p *lidProps) (resource.State, error) {
	s.at(ctx, "create "+rq.LogicalID)
	defer s.at(ctx, "created "+rq.LogicalID)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[*p.Box]
	if b == nil {
		return resource.State{}, fmt.Errorf("no box %s", *p.Box)
	}
	id := *p.Box + "|lid|" + rq.Token[:4]
	b.lids[id] = true
	return resource.State{ID: id}, nil
}

func (s *shop) deleteLid(ctx context.Context, rq *resource.Request, id string, p *lidProps) error {
	s.at(ctx, "delete "+rq.LogicalID)
	defer s.at(ctx, "deleted "+rq.LogicalID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.boxes[*p.Box]; b != nil {
		delete(b.lids, id)
	}
	return nil
}

// set changes, makes or takes away a box by hand.
func (s *shop) set(name string, args []datadriven.CmdArg) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(args) == 0 {
		delete(s.boxes, name)
		return ""
	}
	if s.boxes[name] == nil {
		s.boxes[name] = &shopBox{lids: map[string]bool{}}
	}
	for _, a := range args {
		switch a.Key {
		case "size":
			s.boxes[name].size, _ = strconv.Atoi(a.Vals[0])
		case "note":
			s.boxes[name].note = a.Vals[0]
		}
	}
	return ""
}

// list prints what is in the shop; generated names lose their suffix.
func (s *shop) list() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for name, b := range s.boxes {
		if parts := strings.Split(name, "-"); len(parts) == 3 {
			name = parts[0] + "-" + parts[1] + "-*"
		}
		l := fmt.Sprintf("%s size=%d", name, b.size)
		if b.note != "" {
			l += " note=" + b.note
		}
		if len(b.lids) > 0 {
			l += fmt.Sprintf(" lids=%d", len(b.lids))
		}
		if len(b.tags) > 0 {
			l += fmt.Sprintf(" tags=%v", b.tags)
		}
		lines = append(lines, l)
	}
	sort.Strings(lines)
	if len(lines) == 0 {
		return "(empty)\n"
	}
	return strings.Join(lines, "\n") + "\n"
}
