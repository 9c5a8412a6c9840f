// Renders conversations with a template of a Modelfile as Ollama does: Go's text/template over
// {System, Messages, Tools, Response}, a call's arguments printed by their String method.
// Reads {template, conversations: [[message]]} on stdin, prints the texts as a JSON list.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

// Arguments prints as the JSON text that the caller gave, in its order of keys.
type Arguments struct{ text string }

func (a Arguments) String() string { return a.text }
func (a *Arguments) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &a.text)
}

type Call struct {
	Function struct {
		Name      string
		Arguments Arguments
	}
}

type Message struct {
	Role      string
	Content   string
	Thinking  string
	ToolCalls []Call
}

func main() {
	var input struct {
		Template      string
		Conversations [][]Message
	}
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil {
		panic(err)
	}
	parsed, err := template.New("").Option("missingkey=zero").Parse(input.Template)
	if err != nil {
		panic(err)
	}
	out := []string{}
	for _, messages := range input.Conversations {
		var b strings.Builder
		err := parsed.Execute(&b, map[string]any{"System": "", "Messages": messages, "Tools": []string{}, "Response": ""})
		if err != nil {
			panic(err)
		}
		out = append(out, b.String())
	}
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		panic(err)
	}
}
