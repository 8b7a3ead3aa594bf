/** What shells read to complete command lines of this program: they ask it, by its hidden word `__complete`. */

/** Shells that are known. */
export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

const bash = `# bash completion for holdfast
#   source <(holdfast completion bash)
_holdfast() {
  local line=\${COMP_LINE:0:COMP_POINT} seen=\${COMP_WORDS[COMP_CWORD]} lines=() words=() word prefix paths candidate
  # COMP_WORDS has been cut at colons and equals signs: the line has not.
  read -a words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  word=\${words[-1]}
  [[ $seen == [:=] ]] && seen=''
  prefix=\${word%"$seen"}
  mapfile -t lines < <("$1" __complete -- "\${words[@]:1}" 2>/dev/null)
  COMPREPLY=()
  ((\${#lines[@]})) || return
  paths=\${lines[-1]}
  unset 'lines[-1]'
  for candidate in "\${lines[@]}"; do
    candidate=\${candidate%%$'\\t'*}
    [[ $candidate == *= ]] && compopt -o nospace 2>/dev/null
    printf -v candidate %q "\${candidate#"$prefix"}"
    COMPREPLY+=("$candidate")
  done
  case $paths in
    :files) compopt -o filenames 2>/dev/null; mapfile -t -O \${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$seen") ;;
    :folders) compopt -o filenames 2>/dev/null; mapfile -t -O \${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$seen") ;;
  esac
}
complete -F _holdfast holdfast
`

const zsh = `#compdef holdfast
# zsh completion for holdfast
#   source <(holdfast completion zsh)
_holdfast() {
  local -a lines candidates
  local line paths
  lines=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  paths=\${lines[-1]}
  lines[-1]=()
  for line in "\${lines[@]}"; do
    [[ -n $line ]] && candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  ((\${#candidates})) && _describe holdfast candidates
  case $paths in
    :files) _files ;;
    :folders) _files -/ ;;
  esac
}
compdef _holdfast holdfast
`

const fish = `# fish completion for holdfast
#   holdfast completion fish | source
function __holdfast_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l lines ($words[1] __complete -- $words[2..-1] "$typed" 2>/dev/null)
    test (count $lines) -gt 0; or return
    for line in $lines[1..-2]
        echo $line
    end
    switch $lines[-1]
        case :files
            __fish_complete_path "$typed"
        case :folders
            __fish_complete_directories "$typed"
    end
end
complete -c holdfast -f -a '(__holdfast_complete)'
`

/** By shell. */
export const completionScripts: Readonly<Record<Shell, string>> = { bash, zsh, fish }
