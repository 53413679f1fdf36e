// Says what GitOps tools make of objects: Argo CD by health checks in its Lua interpreter, Flux by its CEL expressions, and any tool
// that follows kstatus by that library. Also reads Flux's manifests with Flux's own types, in which an unknown field is an error.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	kstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	helm "github.com/fluxcd/helm-controller/api/v2"
	flux "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	source "github.com/fluxcd/source-controller/api/v1"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

type question struct {
	// Manifests for Flux, each as one document.
	Manifests []string `json:"manifests"`
	// The health check of each kind.
	Lua map[string]string `json:"lua"`
	// Each with its status, as the API server has it.
	Objects []json.RawMessage `json:"objects"`
}

type opinion struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type answer struct {
	Argo    opinion `json:"argo"`
	Flux    opinion `json:"flux"`
	Kstatus opinion `json:"kstatus"`
}

// The expressions of all Kustomizations among the manifests, by kind.
func expressions(manifests []string) (map[string]*cel.StatusEvaluator, error) {
	evaluators := map[string]*cel.StatusEvaluator{}
	for _, manifest := range manifests {
		var kind struct {
			Kind string `json:"kind"`
		}
		if err := yaml.Unmarshal([]byte(manifest), &kind); err != nil {
			return nil, err
		}
		types := map[string]any{
			"Kustomization": &flux.Kustomization{},
			"HelmRelease":   &helm.HelmRelease{},
			"GitRepository": &source.GitRepository{},
		}
		object, known := types[kind.Kind]
		if !known {
			return nil, fmt.Errorf("no such kind of Flux: %s", kind.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(manifest), object); err != nil {
			return nil, fmt.Errorf("%s: %w", kind.Kind, err)
		}
		if kustomization, ok := object.(*flux.Kustomization); ok {
			for _, check := range kustomization.Spec.HealthCheckExprs {
				evaluator, err := evaluator(check)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", check.Kind, err)
				}
				evaluators[check.Kind] = evaluator
			}
		}
	}
	return evaluators, nil
}

func evaluator(check kustomize.CustomHealthCheck) (*cel.StatusEvaluator, error) {
	return cel.NewStatusEvaluator(&check.HealthCheckExpressions)
}

// As Argo CD runs a health check: no library but the base, package and table, and one second.
func health(script string, object map[string]any) (opinion, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		call := lua.P{Fn: state.NewFunction(open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(name)); err != nil {
			return opinion{}, err
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", value(state, object))
	if err := state.DoString(script); err != nil {
		return opinion{}, err
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return opinion{}, fmt.Errorf("expect table output from Lua script, not %s", state.Get(-1).Type())
	}
	field := func(name string) string { return lua.LVAsString(result.RawGetString(name)) }
	return opinion{field("status"), field("message")}, nil
}

func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case bool:
		return lua.LBool(from)
	case int64:
		return lua.LNumber(from)
	case float64:
		return lua.LNumber(from)
	case string:
		return lua.LString(from)
	case []any:
		list := state.CreateTable(len(from), 0)
		for _, item := range from {
			list.Append(value(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(from))
		for key, item := range from {
			table.RawSetString(key, value(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}

func judge(asked question) ([]answer, error) {
	evaluators, err := expressions(asked.Manifests)
	if err != nil {
		return nil, err
	}
	answers := []answer{}
	for _, raw := range asked.Objects {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			return nil, err
		}
		kind := object.GetKind()
		evaluator, known := evaluators[kind]
		if !known {
			return nil, fmt.Errorf("no expressions for %s", kind)
		}
		byExpressions, err := evaluator.Evaluate(context.Background(), object)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", kind, object.GetName(), err)
		}
		byConditions, err := kstatus.Compute(object)
		if err != nil {
			return nil, err
		}
		byScript, err := health(asked.Lua[kind], object.Object)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", kind, object.GetName(), err)
		}
		answers = append(answers, answer{
			Argo:    byScript,
			Flux:    opinion{string(byExpressions.Status), byExpressions.Message},
			Kstatus: opinion{string(byConditions.Status), byConditions.Message},
		})
	}
	return answers, nil
}

func main() {
	var asked question
	err := json.NewDecoder(os.Stdin).Decode(&asked)
	if err == nil {
		var answers []answer
		if answers, err = judge(asked); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(answers)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
