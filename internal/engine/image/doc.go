// Package image keeps container images and makes root file systems of them.
//
// Content is the one store of their bytes: blobs by SHA-256, whoever brought
// them, each held by those who need it (a repository, a function's version) and
// removed with its last holder. Trees unpacks layers, each once, and says how
// they are joined: stacked by overlayfs, or copied into one folder where the
// system does not allow that. What is unpacked outlives the server. Pull fetches
// images from registries.
//
// The formats are those of the Open Container Initiative and their older
// spelling by Docker:
//
// https://github.com/opencontainers/image-spec/blob/main/manifest.md
// https://github.com/opencontainers/image-spec/blob/main/layer.md
//
// # What a layer may do
//
// A layer is somebody's archive, so nothing of it is believed: names stay below
// the folder, nothing is written through a symbolic link, hard links lead to what
// the same layer has brought, devices are left out, set-user-ID bits and extended
// attributes too, owners become the server's own user (the function is another
// user, to whom the permissions for others apply), and the bytes and files are
// counted. The result must have the digest that the image's configuration names.
// A layer is unpacked without what lies below it, so an entry below a name that is
// a symbolic link only in a lower layer makes a folder that hides the link.
package image
