// Checks what DaemonEye exports with the code that Go's own checksum database is checked with.
//
//	go run main.go DIR LOG-VKEY PROOFS [NOTE WITNESS-NAME WITNESS-KEY]
//
// DIR is a tlog-tiles directory; PROOFS has consistency proofs, one a line: old size, old root, hashes (base64).
// NOTE is a cosigned checkpoint, WITNESS-KEY the 32 bytes of the witness' key in base64.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type tiles struct{ dir string }

func (t tiles) Height() int                       { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// Go's own paths have the height in them; C2SP's don't.
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for i, tile := range wanted {
		data, err := os.ReadFile(filepath.Join(t.dir, strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		found[i] = data
	}
	return found, nil
}

// A C2SP cosignature/v1 as one of Go's verifiers.
type witness struct {
	name string
	key  ed25519.PublicKey
	time uint64
}

func (w *witness) Name() string { return w.name }

func (w *witness) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(w.name+"\n\x04"), w.key...))
	return binary.BigEndian.Uint32(sum[:4])
}

func (w *witness) Verify(text, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	w.time = binary.BigEndian.Uint64(sig)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", w.time, text)
	return ed25519.Verify(w.key, []byte(message), sig[8:])
}

func parseCheckpoint(text string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return tlog.Tree{}, errors.New("a checkpoint of other than three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func open(path string, verifiers ...note.Verifier) (tlog.Tree, *note.Note, error) {
	signed, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, nil, err
	}
	return openBytes(signed, verifiers...)
}

func openBytes(signed []byte, verifiers ...note.Verifier) (tlog.Tree, *note.Note, error) {
	n, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return tlog.Tree{}, nil, err
	}
	tree, err := parseCheckpoint(n.Text)
	return tree, n, err
}

func entries(dir string, size int64) ([][]byte, error) {
	var all [][]byte
	for from := int64(0); from < size; from += 256 {
		width := size - from
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: 8, L: -1, N: from / 256, W: int(width)}
		path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return nil, err
		}
		for len(bundle) > 0 {
			length := int(binary.BigEndian.Uint16(bundle))
			all = append(all, bundle[2:2+length])
			bundle = bundle[2+length:]
		}
	}
	if int64(len(all)) != size {
		return nil, fmt.Errorf("%d entries in a log of %d", len(all), size)
	}
	return all, nil
}

func parseHashes(fields []string) ([]tlog.Hash, error) {
	hashes := []tlog.Hash{}
	for _, field := range fields {
		hash, err := tlog.ParseHash(field)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func checkProofFile(path string, log note.Verifier, all [][]byte) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, signed, _ := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	hashes, err := parseHashes(lines[2:])
	if err != nil {
		return err
	}
	tree, _, err := openBytes([]byte(signed), log)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(tlog.RecordProof(hashes), tree.N, tree.Hash, index, tlog.RecordHash(all[index]))
}

func run(args []string) error {
	dir := args[0]
	log, err := note.NewVerifier(args[1])
	if err != nil {
		return err
	}
	tree, _, err := open(filepath.Join(dir, "checkpoint"), log)
	if err != nil {
		return err
	}
	all, err := entries(dir, tree.N)
	if err != nil {
		return err
	}
	// This reader believes no tile that does not lead to the root.
	hashes := tlog.TileHashReader(tree, tiles{dir})
	for i, entry := range all {
		proof, err := tlog.ProveRecord(tree.N, int64(i), hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(i), tlog.RecordHash(entry)); err != nil {
			return err
		}
	}
	proofs, _ := filepath.Glob(filepath.Join(dir, "proof", "*.tlog-proof"))
	for _, path := range proofs {
		if err := checkProofFile(path, log, all); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}
	text, err := os.ReadFile(args[2])
	if err != nil {
		return err
	}
	extensions := 0
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		fields := strings.Fields(line)
		old, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return err
		}
		found, err := parseHashes(fields[1:])
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(tlog.TreeProof(found[1:]), tree.N, tree.Hash, old, found[0]); err != nil {
			return err
		}
		extensions++
	}
	fmt.Printf("entries %d proofs %d extensions %d\n", len(all), len(proofs), extensions)
	if len(args) == 3 {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(args[5])
	if err != nil {
		return err
	}
	w := &witness{name: args[4], key: key}
	cosigned, n, err := open(args[3], log, w)
	if err != nil {
		return err
	}
	if len(n.Sigs) != 2 || cosigned != tree {
		return errors.New("not cosigned, or another checkpoint")
	}
	fmt.Printf("cosigned at %d\n", w.time)
	return nil
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
