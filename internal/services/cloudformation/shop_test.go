package cloudformation_test

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/tierra-cloud/tierra/internal/call/resource"
)

// shop is a room with two small resource types: boxes, and lids for them.
type shop struct {
	mu    sync.Mutex
	boxes map[string]*shopBox
	// hold, if set, is called before a box is made; it may block.
	hold func(ctx context.Context, name string) error
	made []string // tokens of the boxes that were made, in order
}

type shopBox struct {
	size int
	note string
	tags map[string]string
	lids int
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
	name := strings.ToLower(rq.Name(40))
	if p.Name != nil {
		name = *p.Name
	}
	if s.hold != nil {
		if err := s.hold(ctx, rq.LogicalID); err != nil {
			return resource.State{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if *p.Size < 0 {
		return resource.State{}, fmt.Errorf("a box of size %d cannot be made", *p.Size)
	}
	if old := s.boxes[name]; old != nil && (len(s.made) == 0 || s.made[len(s.made)-1] != rq.Token) {
		return resource.State{}, fmt.Errorf("box %s already exists", name)
	}
	s.made = append(s.made, rq.Token)
	s.boxes[name] = &shopBox{size: *p.Size, tags: rq.StackTags}
	if p.Note != nil {
		s.boxes[name].note = *p.Note
	}
	return s.state(name), nil
}

func (s *shop) updateBox(_ context.Context, rq *resource.Request, id string, _, p *boxProps) (resource.State, error) {
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

func (s *shop) deleteBox(_ context.Context, _ *resource.Request, id string, _ *boxProps) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.boxes[id]; b != nil && b.lids > 0 {
		return fmt.Errorf("box %s has a lid", id)
	} else if b != nil && b.note == "glued" {
		return fmt.Errorf("box %s is glued to the floor", id)
	}
	delete(s.boxes, id)
	return nil
}

func (s *shop) createLid(_ context.Context, rq *resource.Request, p *lidProps) (resource.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[*p.Box]
	if b == nil {
		return resource.State{}, fmt.Errorf("no box %s", *p.Box)
	}
	b.lids++
	return resource.State{ID: *p.Box + "|lid|" + rq.Token[:4]}, nil
}

func (s *shop) deleteLid(_ context.Context, _ *resource.Request, id string, p *lidProps) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.boxes[*p.Box]; b != nil && b.lids > 0 {
		b.lids--
	}
	return nil
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
		if b.lids > 0 {
			l += fmt.Sprintf(" lids=%d", b.lids)
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
