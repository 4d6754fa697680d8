package apigateway

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// keyRow is a line of a file of API keys.
type keyRow struct {
	name, value, description string
	enabled                  bool
	plans                    []string
}

// readKeys reads a file of API keys: comma-separated values under a header line
// that names "name" and "key", and perhaps "description", "enabled" and
// "usageplanIds", in any order.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-key-file-format.html
func readKeys(body []byte) ([]keyRow, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	column := map[string]int{}
	for i, h := range head {
		h = strings.ToLower(strings.TrimSpace(h))
		if !slices.Contains([]string{"name", "key", "description", "enabled", "usageplanids"}, h) {
			return nil, fmt.Errorf("unknown column %q", h)
		}
		if _, twice := column[h]; twice {
			return nil, fmt.Errorf("the column %q is there twice", h)
		}
		column[h] = i
	}
	for _, h := range []string{"name", "key"} {
		if _, ok := column[h]; !ok {
			return nil, fmt.Errorf("the column %q is missing", h)
		}
	}
	var rows []keyRow
	for {
		line, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		at := func(h string) string {
			if i, ok := column[h]; ok {
				return strings.TrimSpace(line[i])
			}
			return ""
		}
		row := keyRow{name: at("name"), value: at("key"), description: at("description"), enabled: true}
		if e := at("enabled"); e != "" {
			row.enabled = strings.EqualFold(e, "true")
		}
		for p := range strings.SplitSeq(at("usageplanids"), ",") {
			if p = strings.TrimSpace(p); p != "" {
				row.plans = append(row.plans, p)
			}
		}
		rows = append(rows, row)
	}
}

// importApiKeys makes a key of every line. What is wrong with a line is a warning,
// and leaves that line away, unless warnings are to fail the whole.
func (s *Service) importApiKeys(ctx context.Context, rq *call.Authorized, in *api.ImportApiKeysRequest) (*api.ApiKeyIds, error) {
	rows, err := readKeys(in.Body)
	if err != nil {
		return nil, api.BadRequestException("Failed to parse API Key file: %s", err)
	}
	a, now, out := areaOf(rq), millis(rq.Time()), &api.ApiKeyIds{}
	err = s.store.Update(ctx, func(t data.Txn) error {
		*out = api.ApiKeyIds{Ids: []string{}, Warnings: []string{}}
		all, err := data.LoadAll[apiKey](t, a.apiKeys())
		if err != nil {
			return err
		}
		taken := map[string]bool{}
		for _, k := range all {
			taken[k.Value] = true
		}
		for i, row := range rows {
			err := checkKeyValue(row.value)
			switch {
			case row.value == "":
				err = api.BadRequestException("the key is missing")
			case taken[row.value]:
				err = api.ConflictException("API Key already exists")
			}
			k := &apiKey{V: 1, ID: s.ids.Of(ids.LowerAlnum, 10), Value: row.value, Name: row.name, Description: row.description, Enabled: row.enabled, Created: now, Updated: now}
			if err == nil {
				if err = data.Save(t, a.apiKey(k.ID), k); err != nil {
					return err
				}
				out.Ids, taken[k.Value] = append(out.Ids, k.ID), true
				for _, p := range row.plans {
					if err = addPlanKey(t, a, p, k); err != nil {
						break
					}
				}
			}
			if f := fault.As(err); f != nil {
				out.Warnings = append(out.Warnings, fmt.Sprintf("Line %d (%s): %s", i+2, row.name, f.Message))
			} else if err != nil {
				return err
			}
		}
		if opt.Val(in.FailOnWarnings) && len(out.Warnings) > 0 {
			return api.BadRequestException("Warnings found during import:\n\t%s", strings.Join(out.Warnings, "\n\t"))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, s.publishKeys(ctx, a)
}
