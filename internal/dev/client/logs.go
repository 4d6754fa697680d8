package client

import (
	"context"
	"errors"
	"time"
)

// Line is one event of a log.
type Line struct {
	ID        string `json:"eventId"`
	Timestamp int64  `json:"timestamp"` // milliseconds
	Message   string `json:"message"`
}

// Tail passes on what is written to a log group from since on, until ctx ends,
// whose error it then returns. A group that does not exist yet is waited for.
func (c *Client) Tail(ctx context.Context, group string, since time.Time, line func(Line)) error {
	from := since.UnixMilli()
	seen := map[string]int64{}
	for {
		token := ""
		for {
			in := map[string]any{"logGroupName": group, "startTime": from}
			if token != "" {
				in["nextToken"] = token
			}
			var out struct {
				Events    []Line `json:"events"`
				NextToken string `json:"nextToken"`
			}
			err := c.JSON(ctx, "logs", "Logs_20140328.FilterLogEvents", in, &out)
			var e *Error
			if errors.As(err, &e) && e.Code == "ResourceNotFoundException" {
				break
			}
			if err != nil {
				return err
			}
			for _, l := range out.Events {
				if _, dup := seen[l.ID]; !dup {
					seen[l.ID] = l.Timestamp
					line(l)
				}
				// Lines of several environments arrive a little out of order.
				from = max(from, l.Timestamp-5000)
			}
			if token = out.NextToken; token == "" {
				break
			}
		}
		for id, at := range seen {
			if at < from {
				delete(seen, id)
			}
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}
