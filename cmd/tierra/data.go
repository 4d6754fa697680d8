package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/tierra-cloud/tierra/internal/kernel/ids"
)

// folder is a data folder and what lies where in it.
type folder struct{ dir string }

func (f folder) store() string       { return filepath.Join(f.dir, "store") }
func (f folder) blobs() string       { return filepath.Join(f.dir, "blobs") }
func (f folder) code() string        { return filepath.Join(f.dir, "code") }
func (f folder) audit() string       { return filepath.Join(f.dir, "audit") }
func (f folder) run() string         { return filepath.Join(f.dir, "run") }
func (f folder) credentials() string { return filepath.Join(f.dir, "credentials.json") }

// defaultData returns $XDG_DATA_HOME/tierra, or its usual place.
func defaultData() (string, error) {
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "tierra"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no data folder: %w; name one with --data", err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "tierra"), nil
	}
	return filepath.Join(home, ".local", "share", "tierra"), nil
}

func openFolder(dir string) (folder, error) {
	if dir == "" {
		var err error
		if dir, err = defaultData(); err != nil {
			return folder{}, err
		}
	}
	dir, err := filepath.Abs(dir)
	return folder{dir}, err
}

// secrets are what a data folder keeps for itself, mode 0600.
type secrets struct {
	Account   string `json:"account"`
	Region    string `json:"region"`
	AccessKey string `json:"accessKeyId"`
	Secret    string `json:"secretAccessKey"`
	// SessionKey seals session tokens, DataKey what is encrypted at rest; 32 bytes each.
	SessionKey []byte `json:"sessionKey"`
	DataKey    []byte `json:"dataKey"`
}

// Defaults of a new data folder.
const (
	defaultAccount = "000000000000"
	defaultRegion  = "us-east-1"
)

// secrets reads the folder's secrets, making them on the first start.
func (f folder) secrets(src *ids.Source) (*secrets, error) {
	s, err := f.readSecrets()
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	s = &secrets{
		Account: defaultAccount, Region: defaultRegion,
		AccessKey: "AKIA" + src.Of(ids.Base32, 16), Secret: src.Of(ids.Alnum, 40),
		SessionKey: src.Bytes(32), DataKey: src.Bytes(32),
	}
	doc, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := writeDurably(f.credentials(), append(doc, '\n')); err != nil {
		return nil, fmt.Errorf("keep the root access key: %w", err)
	}
	return s, nil
}

func (f folder) readSecrets() (*secrets, error) {
	doc, err := os.ReadFile(f.credentials())
	if err != nil {
		return nil, err
	}
	s := &secrets{}
	if err := json.Unmarshal(doc, s); err != nil || s.AccessKey == "" || len(s.SessionKey) != 32 || len(s.DataKey) != 32 {
		return nil, fmt.Errorf("%s is damaged; restore it from a backup, or move the data folder away to begin anew", f.credentials())
	}
	return s, nil
}

// writeDurably writes a file that is whole or not there, mode 0600.
func writeDurably(path string, body []byte) error {
	t, err := os.CreateTemp(filepath.Dir(path), ".new-*") // CreateTemp gives mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(t.Name())
	if _, err = t.Write(body); err == nil {
		err = t.Sync()
	}
	if cerr := t.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := os.Rename(t.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
