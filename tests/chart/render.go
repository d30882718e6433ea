// SPDX-License-Identifier: Apache-2.0

// Renders a Helm chart as `helm template` does, from Debian's packages alone, which have no helm:
//
//	render [-f VALUES]... [-name RELEASE] [-namespace NS] [-show manifests|notes|values] CHART
//
// What helm's engine gives a template it gives, too: sprig's functions without those that read the
// environment, and include, tpl, required, lookup, toYaml, fromYaml, toJson, fromJson. There are no
// subcharts here, no hooks and no post-renderers.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

type table = map[string]interface{}

type chart struct {
	metadata  table // as templates see it: .Chart.AppVersion
	defaults  table
	templates map[string]string // by the name that errors show: perch/templates/daemonset.yaml
	files     files             // whatever else lies there
}

// files is .Files.
type files map[string]string

func (f files) Get(name string) string { return f[name] }

func (f files) Lines(name string) []string { return strings.Split(f[name], "\n") }

func (f files) Glob(pattern string) files {
	found := files{}
	for name, text := range f {
		if matches, _ := path.Match(pattern, name); matches {
			found[name] = text
		}
	}
	return found
}

// apiVersions is .Capabilities.APIVersions: of a cluster with the Prometheus operator.
type apiVersions []string

func (known apiVersions) Has(wanted string) bool {
	for _, version := range known {
		if version == wanted {
			return true
		}
	}
	return false
}

func readTable(text []byte, name string) (table, error) {
	values := table{}
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return values, nil
}

func loadChart(directory string) (*chart, error) {
	loaded := &chart{metadata: table{}, defaults: table{}, templates: map[string]string{}, files: files{}}
	err := filepath.WalkDir(directory, func(place string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(place)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(directory, place)
		if err != nil {
			return err
		}
		return loaded.take(name, text)
	})
	return loaded, err
}

func (c *chart) take(name string, text []byte) (err error) {
	switch {
	case name == "Chart.yaml":
		var written table
		written, err = readTable(text, name)
		for key, value := range written {
			// Templates see helm's structure, whose fields begin with capitals.
			c.metadata[strings.ToUpper(key[:1])+key[1:]] = value
		}
	case name == "values.yaml":
		c.defaults, err = readTable(text, name)
	case strings.HasPrefix(name, "templates/"):
		c.templates[name] = string(text)
	default:
		c.files[name] = string(text)
	}
	return err
}

// layOver lays what a user wrote over other values: tables by key, all else as a whole.
func layOver(below, above table) table {
	merged := table{}
	for key, value := range below {
		merged[key] = value
	}
	for key, value := range above {
		old, wasTable := merged[key].(table)
		if written, isTable := value.(table); isTable && wasTable {
			merged[key] = layOver(old, written)
		} else {
			merged[key] = value
		}
	}
	return merged
}

// withoutNulls takes out what a user deleted by writing null.
func withoutNulls(values table) table {
	for key, value := range values {
		if value == nil {
			delete(values, key)
		} else if inner, isTable := value.(table); isTable {
			values[key] = withoutNulls(inner)
		}
	}
	return values
}

type engine struct {
	all *template.Template
}

func newEngine(templates map[string]string, base string) (*engine, error) {
	e := &engine{all: template.New(base).Option("missingkey=zero")}
	e.all.Funcs(e.functions())
	for name, text := range templates {
		if _, err := e.all.New(path.Join(base, name)).Parse(text); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *engine) functions() template.FuncMap {
	functions := sprig.TxtFuncMap()
	delete(functions, "env")
	delete(functions, "expandenv")
	own := template.FuncMap{
		"include": e.execute, "tpl": e.tpl, "required": required, "toYaml": toYaml,
		"fromYaml": fromYaml, "fromYamlArray": fromYamlArray, "fromJson": fromYaml,
		"fromJsonArray": fromYamlArray,
		"lookup":        func(string, string, string, string) table { return table{} },
	}
	for name, function := range own {
		functions[name] = function
	}
	return functions
}

func (e *engine) execute(name string, data interface{}) (string, error) {
	var out strings.Builder
	err := e.all.ExecuteTemplate(&out, name, data)
	return strings.ReplaceAll(out.String(), "<no value>", ""), err
}

func (e *engine) tpl(text string, data interface{}) (string, error) {
	const name = "tpl"
	copied, err := e.all.Clone()
	if err != nil {
		return "", err
	}
	inner := &engine{all: copied}
	copied.Funcs(inner.functions())
	if _, err := copied.New(name).Parse(text); err != nil {
		return "", err
	}
	return inner.execute(name, data)
}

func required(message string, value interface{}) (interface{}, error) {
	if value == nil || value == "" {
		return nil, errors.New(message)
	}
	return value, nil
}

func toYaml(value interface{}) (string, error) {
	text, err := yaml.Marshal(value)
	return strings.TrimSuffix(string(text), "\n"), err
}

func fromYaml(text string) table {
	values, err := readTable([]byte(text), "fromYaml")
	if err != nil {
		return table{"Error": err.Error()}
	}
	return values
}

func fromYamlArray(text string) []interface{} {
	var values []interface{}
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		return []interface{}{err.Error()}
	}
	return values
}

type release struct {
	name, namespace string
}

// context is what a template sees as the dot.
func (c *chart) context(values table, of release, name, base string) table {
	return table{
		"Values": values, "Chart": c.metadata, "Files": c.files,
		"Release": table{"Name": of.name, "Namespace": of.namespace, "Service": "Helm",
			"IsInstall": true, "IsUpgrade": false, "Revision": 1},
		"Capabilities": table{
			"APIVersions": apiVersions{"v1", "apps/v1", "monitoring.coreos.com/v1"},
			"KubeVersion": table{"Version": "v1.33.0", "Major": "1", "Minor": "33"}},
		"Template": table{"Name": path.Join(base, name), "BasePath": path.Join(base, "templates")},
	}
}

// render returns what each template makes, by the template's name.
func (c *chart) render(values table, of release) (map[string]string, error) {
	base, _ := c.metadata["Name"].(string)
	e, err := newEngine(c.templates, base)
	if err != nil {
		return nil, err
	}
	made := map[string]string{}
	for name := range c.templates {
		if strings.HasPrefix(path.Base(name), "_") {
			continue
		}
		full := path.Join(base, name)
		if made[full], err = e.execute(full, c.context(values, of, name, base)); err != nil {
			return nil, err
		}
	}
	return made, nil
}

func print(made map[string]string, notes bool) {
	names := []string{}
	for name, text := range made {
		if strings.HasSuffix(name, ".txt") == notes && strings.TrimSpace(text) != "" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		if !notes {
			fmt.Printf("---\n# Source: %s\n", name)
		}
		fmt.Println(strings.TrimSpace(made[name]))
	}
}

type valueFiles []string

func (v *valueFiles) String() string { return strings.Join(*v, ",") }

func (v *valueFiles) Set(name string) error {
	*v = append(*v, name)
	return nil
}

func run() error {
	var names valueFiles
	var of release
	flag.Var(&names, "f", "a file of values; the later one wins")
	flag.StringVar(&of.name, "name", "try", "the release's name")
	flag.StringVar(&of.namespace, "namespace", "default", "the release's namespace")
	show := flag.String("show", "manifests", "what to print: manifests, notes or values")
	flag.Parse()
	loaded, err := loadChart(flag.Arg(0))
	if err != nil {
		return err
	}
	values := loaded.defaults
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		written, err := readTable(text, name)
		if err != nil {
			return err
		}
		values = layOver(values, written)
	}
	values = withoutNulls(values)
	if *show == "values" {
		text, err := toYaml(values)
		fmt.Println(text)
		return err
	}
	made, err := loaded.render(values, of)
	if err != nil {
		return err
	}
	print(made, *show == "notes")
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}
