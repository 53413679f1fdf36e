// Reads each file of a folder with a reader and prints what it got, as a JSON list in the order of the names.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	yaml2 "gopkg.in/yaml.v2"
	yaml3 "gopkg.in/yaml.v3"

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

// As Kubernetes' own tools and many others read YAML.
var yamlReaders = map[string]func([]byte, any) error{
	"yaml-v2": yaml2.Unmarshal,
	"yaml-v3": func(text []byte, value any) error { return yaml3.Unmarshal(text, value) },
}

// What JSON has no type for, such as a date or a key that is no text, is shown as what it is.
func plain(value any) any {
	switch value := value.(type) {
	case []any:
		for index, item := range value {
			value[index] = plain(item)
		}
		return value
	case map[any]any:
		members := map[string]any{}
		for key, member := range value {
			if name, ok := key.(string); ok {
				members[name] = plain(member)
			} else {
				members[fmt.Sprintf("%T: %v", key, key)] = plain(member)
			}
		}
		return members
	case map[string]any:
		for key, member := range value {
			value[key] = plain(member)
		}
		return value
	case nil, bool, int, int64, uint64, float64, string:
		return value
	default:
		return fmt.Sprintf("%T: %v", value, value)
	}
}

func readYaml(text io.Reader, unmarshal func([]byte, any) error) (any, error) {
	bytes, err := io.ReadAll(text)
	if err != nil {
		return nil, err
	}
	var value any
	err = unmarshal(bytes, &value)
	return plain(value), err
}

func read(reader, folder string) ([]any, error) {
	// The names come sorted.
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	results := make([]any, 0, len(entries))
	for _, entry := range entries {
		file, err := os.Open(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		var result any
		if unmarshal, ok := yamlReaders[reader]; ok {
			result, err = readYaml(file, unmarshal)
		} else {
			result, err = readers[reader](file)
		}
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		results = append(results, result)
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
