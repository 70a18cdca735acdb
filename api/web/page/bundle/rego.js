import {StreamLanguage} from "@codemirror/language"

const keywords = /^(?:package|import|as|default|else|not|some|every|in|if|contains|with)\b/
const atoms = /^(?:true|false|null)\b/

// Rego as the eye needs it: the compiler says what is wrong, this only colours.
export const rego = StreamLanguage.define({
  name: "rego",
  startState: () => ({raw: false, quoted: false}),
  token(stream, state) {
    if (state.raw) {
      state.raw = !stream.skipTo("`")
      if (state.raw) stream.skipToEnd()
      else stream.next()
      return "string"
    }
    if (stream.eatSpace()) return null
    if (stream.match(/^#.*/)) return "comment"
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return "string"
    if (stream.eat("`")) {
      state.raw = true
      return "string"
    }
    if (stream.match(/^-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?\b/)) return "number"
    if (stream.match(keywords)) return "keyword"
    if (stream.match(atoms)) return "atom"
    if (stream.match(/^(?:input|data)\b/)) return "variableName.special"
    if (stream.match(/^[A-Za-z_][\w]*(?=\()/)) return "variableName.function"
    if (stream.match(/^[A-Za-z_][\w]*/)) return "variableName"
    if (stream.match(/^(?::=|==|!=|<=|>=|[=<>+\-*/%&|])/)) return "operator"
    stream.next()
    return null
  },
  languageData: {
    commentTokens: {line: "#"},
    closeBrackets: {brackets: ["(", "[", "{", '"', "`"]},
    indentOnInput: /^\s*[\]})]$/,
  },
})
