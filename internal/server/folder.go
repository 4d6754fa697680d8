package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tierra-cloud/tierra/internal/kernel/ids"
)

// Folder is a data folder and what lies where in it.
type Folder struct{ Dir string }

// OpenFolder names a data folder; nothing is made yet.
func OpenFolder(dir string) (Folder, error) {
	dir, err := filepath.Abs(dir)
	return Folder{dir}, err
}

func (f Folder) store() string       { return filepath.Join(f.Dir, "store") }
func (f Folder) blobs() string       { return filepath.Join(f.Dir, "blobs") }
func (f Folder) code() string        { return filepath.Join(f.Dir, "code") }
func (f Folder) images() string      { return filepath.Join(f.Dir, "images") }
func (f Folder) audit() string       { return filepath.Join(f.Dir, "audit") }
func (f Folder) run() string         { return filepath.Join(f.Dir, "run") }
func (f Folder) credentials() string { return filepath.Join(f.Dir, "credentials.json") }

// Authority is the file with the certificate authority and its key.
func (f Folder) Authority() string { return filepath.Join(f.Dir, "authority.pem") }

// Secrets are what a data folder keeps for itself, mode 0600.
type Secrets struct {
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
	DefaultAccount = "000000000000"
	DefaultRegion  = "us-east-1"
)

func newSecrets(src *ids.Source) *Secrets {
	return &Secrets{
		Account: DefaultAccount, Region: DefaultRegion,
		AccessKey: "AKIA" + src.Of(ids.Base32, 16), Secret: src.Of(ids.Alnum, 40),
		SessionKey: src.Bytes(32), DataKey: src.Bytes(32),
	}
}

// secrets reads the folder's secrets, making them on the first start.
func (f Folder) secrets(src *ids.Source) (*Secrets, error) {
	s, err := f.ReadSecrets()
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	s = newSecrets(src)
	doc, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := WriteDurably(f.credentials(), append(doc, '\n')); err != nil {
		return nil, fmt.Errorf("keep the root access key: %w", err)
	}
	return s, nil
}

// ReadSecrets returns the secrets of a folder that a server was started with; an
// fs.ErrNotExist says that none was.
func (f Folder) ReadSecrets() (*Secrets, error) {
	doc, err := os.ReadFile(f.credentials())
	if err != nil {
		return nil, err
	}
	s := &Secrets{}
	if err := json.Unmarshal(doc, s); err != nil || s.AccessKey == "" || len(s.SessionKey) != 32 || len(s.DataKey) != 32 {
		return nil, fmt.Errorf("%s is damaged; restore it from a backup, or move the data folder away to begin anew", f.credentials())
	}
	return s, nil
}

// WriteDurably writes a file that is whole or not there, mode 0600.
func WriteDurably(path string, body []byte) error {
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
