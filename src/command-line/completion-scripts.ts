/**
 * What a shell is told to complete jobmgr's words by. It asks `jobmgr __complete` at each Tab, which answers with a line
 * that says whether paths may stand there too ("none", "any", "folders"), and a line for each choice. Pure.
 */
import { quoted } from "../runner.ts";

/** The shells for which there is a script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
/** One of them. */
export type Shell = (typeof SHELLS)[number];

/** `command`: how this jobmgr is called where none is on the PATH. */
export function completionScript(shell: Shell, command: readonly string[]): string {
  return SCRIPTS[shell](command);
}

const SCRIPTS: Readonly<Record<Shell, (command: readonly string[]) => string>> = {
  // The line is handed over as it is typed: bash itself could take its quotes off only by running it.
  bash: (command) => `# jobmgr completion for bash (4 or newer). In ~/.bashrc: eval "$(jobmgr completion bash)"
_jobmgr_ask() {
  if type -P jobmgr >/dev/null; then command jobmgr __complete "$@"
  else ${command.map(quoted).join(" ")} __complete "$@"; fi </dev/null 2>/dev/null
}
_jobmgr() {
  local -a answer=()
  mapfile -t answer < <(_jobmgr_ask bash "$COMP_WORDBREAKS" "\${COMP_LINE:0:COMP_POINT}")
  COMPREPLY=("\${answer[@]:1}")
  case \${answer[0]-} in
    any) compopt -o default -o bashdefault ;;
    folders) compopt -o dirnames ;;
  esac
}
complete -F _jobmgr jobmgr
`,
  zsh: (command) => `#compdef jobmgr
# jobmgr completion for zsh. In ~/.zshrc, behind compinit: eval "$(jobmgr completion zsh)"
# Or save it as _jobmgr in a folder of $fpath.
_jobmgr_ask() {
  if (( $+commands[jobmgr] )); then command jobmgr __complete "$@"
  else ${command.map(quoted).join(" ")} __complete "$@"; fi </dev/null 2>/dev/null
}
_jobmgr() {
  local -a answer values shown
  local line
  answer=("\${(@f)$(_jobmgr_ask zsh "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}")}")
  for line in "\${(@)answer[2,-1]}"; do
    [[ -n $line ]] || continue
    values+=("\${line%%$'\\t'*}")
    if [[ $line == *$'\\t'?* ]]; then shown+=("\${line%%$'\\t'*}  -- \${line#*$'\\t'}")
    else shown+=("\${line%%$'\\t'*}"); fi
  done
  if [[ $line == *$'\\t'?* ]]; then compadd -l -d shown -a values
  elif (( $#values )); then compadd -a values; fi
  case $answer[1] in
    any) compset -P '--*='; _files ;;
    folders) compset -P '--*='; _files -/ ;;
  esac
}
if [[ $funcstack[1] == _jobmgr ]]; then _jobmgr "$@"
elif (( $+functions[compdef] )); then compdef _jobmgr jobmgr; fi
`,
  fish: (command) => `# jobmgr completion for fish: jobmgr completion fish > ~/.config/fish/completions/jobmgr.fish
function __jobmgr_ask
    if type -fq jobmgr
        command jobmgr __complete $argv </dev/null 2>/dev/null
    else
        ${command.map(fishQuoted).join(" ")} __complete $argv </dev/null 2>/dev/null
    end
end
function __jobmgr_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l plain (string unescape -- $current)
    or set plain $current
    set -l answer (__jobmgr_ask fish $before[2..-1] "$plain")
    test (count $answer) -gt 1
    and printf '%s\\n' $answer[2..-1]
    # For a command that it does not know, fish completes paths.
    set -l path (string replace -r '^--[^=]*=' '' -- "$current")
    switch "$answer[1]"
        case any
            complete -C"__jobmgr_no_command $path"
        case folders
            complete -C"__jobmgr_no_command $path" | string match -r '.*/$'
    end
end
complete -c jobmgr -f -a '(__jobmgr_complete)'
`,
};

/** A word that fish reads as exactly this text. */
function fishQuoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
