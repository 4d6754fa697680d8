package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	cloudformation = "cloudformation"
	version        = "2010-05-15"
)

// Stack is a stack as it stands.
type Stack struct {
	ID      string   `xml:"StackId"`
	Name    string   `xml:"StackName"`
	Status  string   `xml:"StackStatus"`
	Reason  string   `xml:"StackStatusReason"`
	Outputs []Output `xml:"Outputs>member"`
}

// Output is an output of a stack.
type Output struct {
	Key         string `xml:"OutputKey"`
	Value       string `xml:"OutputValue"`
	Description string `xml:"Description"`
}

// Event is one step of a stack's history.
type Event struct {
	ID         string `xml:"EventId"`
	LogicalID  string `xml:"LogicalResourceId"`
	PhysicalID string `xml:"PhysicalResourceId"`
	Type       string `xml:"ResourceType"`
	Status     string `xml:"ResourceStatus"`
	Reason     string `xml:"ResourceStatusReason"`
}

// Resource is a resource of a stack.
type Resource struct {
	LogicalID  string `xml:"LogicalResourceId"`
	PhysicalID string `xml:"PhysicalResourceId"`
	Type       string `xml:"ResourceType"`
}

// Stack returns a stack, or nil if there is none of that name.
func (c *Client) Stack(ctx context.Context, name string) (*Stack, error) {
	var out struct {
		Stacks []Stack `xml:"Stacks>member"`
	}
	err := c.Query(ctx, cloudformation, version, "DescribeStacks", url.Values{"StackName": {name}}, &out)
	var e *Error
	if errors.As(err, &e) && strings.Contains(e.Message, "does not exist") {
		return nil, nil
	}
	if err != nil || len(out.Stacks) == 0 {
		return nil, err
	}
	return &out.Stacks[0], nil
}

// Resources returns the resources of a stack.
func (c *Client) Resources(ctx context.Context, stack string) ([]Resource, error) {
	var out struct {
		Resources []Resource `xml:"StackResources>member"`
	}
	err := c.Query(ctx, cloudformation, version, "DescribeStackResources", url.Values{"StackName": {stack}}, &out)
	return out.Resources, err
}

// MaxTemplateBody is the size of a template that a request can hold, in bytes;
// larger ones are named by an address.
const MaxTemplateBody = 51_200

// Deployment is what a stack is to become.
type Deployment struct {
	Stack       string
	Template    string
	TemplateURL string // in the place of Template, unless it is ""
	Parameters  map[string]string
	Tags        map[string]string
	Role        string // as whom CloudFormation acts; "": as the caller
	Protect     bool   // termination protection
	// Changes is told what will happen to a stack that is there, before it does;
	// nil: nobody.
	Changes func([]Change)
}

// Change is what will happen to a resource.
type Change struct {
	Action      string   `xml:"ResourceChange>Action"` // Add, Modify, Remove, Import, Dynamic
	LogicalID   string   `xml:"ResourceChange>LogicalResourceId"`
	Type        string   `xml:"ResourceChange>ResourceType"`
	Replacement string   `xml:"ResourceChange>Replacement"` // True, False, Conditional
	Scope       []string `xml:"ResourceChange>Scope>member"`
	Details     []Detail `xml:"ResourceChange>Details>member"`
}

// Detail is the part of a resource that changes.
type Detail struct {
	Attribute string `xml:"Target>Attribute"` // Properties, Metadata, Tags, …
	Name      string `xml:"Target>Name"`
}

// ErrNoChange says that a stack is what it is to become.
var ErrNoChange = errors.New("no changes")

// Deploy makes or updates a stack through a change set and waits for the end,
// telling each event to progress, the oldest first.
func (c *Client) Deploy(ctx context.Context, d Deployment, progress func(Event)) (*Stack, error) {
	old, err := c.Stack(ctx, d.Stack)
	if err != nil {
		return nil, err
	}
	kind := "UPDATE"
	if old != nil && (old.Status == "ROLLBACK_COMPLETE" || old.Status == "CREATE_FAILED" || old.Status == "ROLLBACK_FAILED" || old.Status == "DELETE_FAILED") {
		// Nothing of a stack that never came to be can be updated.
		if err := c.Query(ctx, cloudformation, version, "DeleteStack", url.Values{"StackName": {d.Stack}}, nil); err != nil {
			return nil, err
		}
		if _, err := c.settle(ctx, old.ID, map[string]bool{}, progress); err != nil {
			return nil, err
		}
		old = nil
	}
	if old == nil || old.Status == "REVIEW_IN_PROGRESS" {
		kind = "CREATE"
	}
	name := "up-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	v := url.Values{
		"StackName": {d.Stack}, "ChangeSetName": {name}, "ChangeSetType": {kind},
		"Capabilities.member.1": {"CAPABILITY_IAM"}, "Capabilities.member.2": {"CAPABILITY_NAMED_IAM"}, "Capabilities.member.3": {"CAPABILITY_AUTO_EXPAND"},
	}
	if d.TemplateURL != "" {
		v.Set("TemplateURL", d.TemplateURL)
	} else {
		v.Set("TemplateBody", d.Template)
	}
	if d.Role != "" {
		v.Set("RoleARN", d.Role)
	}
	i := 0
	for k, val := range d.Tags {
		i++
		v.Set(fmt.Sprintf("Tags.member.%d.Key", i), k)
		v.Set(fmt.Sprintf("Tags.member.%d.Value", i), val)
	}
	i = 0
	for k, val := range d.Parameters {
		i++
		v.Set(fmt.Sprintf("Parameters.member.%d.ParameterKey", i), k)
		v.Set(fmt.Sprintf("Parameters.member.%d.ParameterValue", i), val)
	}
	seen := map[string]bool{}
	if old != nil {
		events, err := c.events(ctx, d.Stack)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			seen[e.ID] = true
		}
	}
	var set struct {
		ID      string `xml:"Id"`
		StackID string `xml:"StackId"`
	}
	if err := c.Query(ctx, cloudformation, version, "CreateChangeSet", v, &set); err != nil {
		return nil, err
	}
	changes, err := c.ready(ctx, set.ID, d.Stack, kind)
	if err != nil {
		return old, err
	}
	if d.Changes != nil && kind == "UPDATE" {
		d.Changes(changes)
	}
	if err := c.Query(ctx, cloudformation, version, "ExecuteChangeSet", url.Values{"ChangeSetName": {set.ID}, "StackName": {d.Stack}}, nil); err != nil {
		return nil, err
	}
	s, err := c.settle(ctx, set.StackID, seen, progress)
	if err == nil && d.Protect {
		err = c.Query(ctx, cloudformation, version, "UpdateTerminationProtection", url.Values{"StackName": {d.Stack}, "EnableTerminationProtection": {"true"}}, nil)
	}
	return s, err
}

// ready waits until a change set is computed, and returns its changes.
func (c *Client) ready(ctx context.Context, id, stack, kind string) ([]Change, error) {
	var all []Change
	token := ""
	for {
		var set struct {
			Status  string   `xml:"Status"`
			Reason  string   `xml:"StatusReason"`
			Changes []Change `xml:"Changes>member"`
			Next    string   `xml:"NextToken"`
		}
		v := url.Values{"ChangeSetName": {id}}
		if token != "" {
			v.Set("NextToken", token)
		}
		if err := c.Query(ctx, cloudformation, version, "DescribeChangeSet", v, &set); err != nil {
			return nil, err
		}
		switch set.Status {
		case "CREATE_COMPLETE":
			all = append(all, set.Changes...)
			if token = set.Next; token == "" {
				return all, nil
			}
			continue
		case "FAILED":
			// What was made for the change set only is not left behind.
			_ = c.Query(ctx, cloudformation, version, "DeleteChangeSet", url.Values{"ChangeSetName": {id}}, nil)
			if strings.Contains(set.Reason, "didn't contain changes") || strings.Contains(set.Reason, "No updates are to be performed") {
				return nil, ErrNoChange
			}
			if kind == "CREATE" {
				_ = c.Query(ctx, cloudformation, version, "DeleteStack", url.Values{"StackName": {stack}}, nil)
			}
			return nil, errors.New(set.Reason)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (c *Client) events(ctx context.Context, stack string) ([]Event, error) {
	var out struct {
		Events []Event `xml:"StackEvents>member"`
	}
	err := c.Query(ctx, cloudformation, version, "DescribeStackEvents", url.Values{"StackName": {stack}}, &out)
	return out.Events, err
}

// settle follows a stack until it comes to rest, and returns an error with the
// first cause if that was not success.
func (c *Client) settle(ctx context.Context, id string, seen map[string]bool, progress func(Event)) (*Stack, error) {
	first := ""
	for {
		s, err := c.Stack(ctx, id)
		if err != nil {
			return nil, err
		}
		events, err := c.events(ctx, id)
		if err != nil {
			return nil, err
		}
		for i := len(events) - 1; i >= 0; i-- {
			e := events[i]
			if seen[e.ID] {
				continue
			}
			seen[e.ID] = true
			if first == "" && strings.HasSuffix(e.Status, "_FAILED") && e.Reason != "" && !strings.Contains(e.Reason, "cancelled") {
				first = e.LogicalID + " (" + e.Type + "): " + e.Reason
			}
			progress(e)
		}
		if s == nil {
			return nil, nil
		}
		switch s.Status {
		case "CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE":
			return s, nil
		}
		if !strings.HasSuffix(s.Status, "_IN_PROGRESS") {
			if first == "" {
				first = s.Reason
			}
			return s, fmt.Errorf("the stack %s is %s: %s", s.Name, s.Status, first)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}
