// Reads each file of a folder with a reader and prints what it got, as a JSON list in the order of the names.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	compose "github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/docker/cli/pkg/kvfile"
	"github.com/joho/godotenv"
)

var readers = map[string]func(io.Reader) (map[string]string, error){
	"godotenv": godotenv.Parse,
	// As `docker compose` calls it: what the environment has comes before what the file says.
	"compose": func(file io.Reader) (map[string]string, error) {
		return compose.ParseWithLookup(file, os.LookupEnv)
	},
	"docker": readLines,
}

// As `docker run --env-file` reads a file.
func readLines(file io.Reader) (map[string]string, error) {
	lines, err := kvfile.ParseFromReader(file, os.LookupEnv)
	variables := map[string]string{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		variables[name] = value
	}
	return variables, err
}

func read(reader, folder string) ([]map[string]string, error) {
	// The names come sorted.
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	results := make([]map[string]string, 0, len(entries))
	for _, entry := range entries {
		file, err := os.Open(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		variables, err := readers[reader](file)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		results = append(results, variables)
	}
	return results, nil
}

func main() {
	results, err := read(os.Args[1], os.Args[2])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(results)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
