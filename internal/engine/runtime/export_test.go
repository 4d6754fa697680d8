package runtime

import "github.com/tierra-cloud/tierra/internal/engine/sandbox"

// Processes are the sandboxes of the templates that wait.
func (t *Templates) Processes() (all []sandbox.Process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.kinds {
		for _, tpl := range k.ready {
			all = append(all, tpl.proc)
		}
	}
	return all
}

// Settle waits until all templates that are wanted are ready.
func (t *Templates) Settle() { t.work.Wait() }

// Ready is how many templates wait.
func (t *Templates) Ready() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.kinds {
		n += len(k.ready)
	}
	return n
}

// Held is the memory that they hold.
func (t *Templates) Held() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held
}

// Taken is how many have become environments.
func (t *Templates) Taken() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.taken
}

// Prime waits until a template for an environment is ready, if one fits.
func (t *Templates) Prime(cfg Config) {
	if !t.fits(&cfg) {
		return
	}
	key := kindOf(cfg.template())
	t.mu.Lock()
	if t.kinds[key] == nil && t.ctx.Err() == nil {
		t.kinds[key] = newKind(cfg.template())
	}
	if k := t.kinds[key]; k != nil {
		t.uses++
		k.used = t.uses
	}
	t.mu.Unlock()
	t.refill(key)
	t.Settle()
}
