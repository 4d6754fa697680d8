package sandbox

// Root is a root file system of a sandbox's own, in the place of the host's system
// folders: nothing of the host is visible but what tells names of hosts. It is
// read-only; /tmp, /proc and the devices are the sandbox's own as ever, and
// Spec.Mounts cannot be had besides. The program may be named without a folder:
// then it is looked for along the variable PATH of Spec.Env. It takes
// Tier.OwnRoot.
type Root struct {
	// Layers are folders of the host, the lowest first, that overlayfs joins; what
	// a layer removes of those below is marked in overlayfs's way. It takes
	// Tier.Overlay.
	Layers []string
	// Dir is a folder of the host that is the root as it is, once Furnish has been
	// applied to it; Layers are empty then.
	Dir string
}
