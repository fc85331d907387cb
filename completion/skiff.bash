# bash completion for skiff, and for docker where that is a link to skiff.
# Commands and flags are read from the program's own help, so that they are always those of the installed one.

_skiff_words() { # lines of a help text: names of commands
  "$@" --help 2>/dev/null | awk '/Commands:$/ {on = 1; next} /^[A-Z]/ {on = 0} on && /^  [a-z]/ {print $1}'
}

_skiff_flags() {
  "$@" --help 2>/dev/null | awk '/Options:$/ {on = 1; next} /^[A-Z]/ {on = 0} on' |
    grep -oE '^ +(-[A-Za-z], )?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+'
}

_skiff() {
  local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local -a globals=() path=()
  local i word
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      -H | --host | -c | --context | --config | -l | --log-level)
        [[ ${#path[@]} -eq 0 ]] && { globals+=("$word" "${COMP_WORDS[i + 1]}"); ((i++)); continue; } ;;
      -*) continue ;;
    esac
    path+=("$word")
  done
  COMPREPLY=()
  local engine=("$program" "${globals[@]}")
  local group=" builder container image manifest network registry system volume "
  local depth=1
  [[ $group == *" ${path[0]:-} "* ]] && depth=2
  if ((${#path[@]} < depth)); then
    if [[ $current == -* ]]; then
      mapfile -t COMPREPLY < <(compgen -W "$(_skiff_flags "$program" "${path[@]}")" -- "$current")
    else
      mapfile -t COMPREPLY < <(compgen -W "$(_skiff_words "$program" "${path[@]}")" -- "$current")
    fi
    return
  fi
  local -a command=("${path[@]:0:depth}")
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_skiff_flags "$program" "${command[@]}")" -- "$current")
    return
  fi
  case $previous in
    --htpasswd | --tls-cert | --tls-key | --tls-client-ca | --token-keys | --config-file | --access-log)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return ;;
    --root)
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      return ;;
    --network | --net)
      mapfile -t COMPREPLY < <(compgen -W "$("${engine[@]}" network ls --format '{{.Name}}' 2>/dev/null)" -- "$current")
      return ;;
    --runtime)
      mapfile -t COMPREPLY < <(compgen -W "$("${engine[@]}" info 2>/dev/null | sed -n 's/^ Runtimes: //p')" -- "$current")
      return ;;
    --progress)
      mapfile -t COMPREPLY < <(compgen -W "auto plain quiet json" -- "$current")
      return ;;
    --compression)
      mapfile -t COMPREPLY < <(compgen -W "gzip zstd" -- "$current")
      return ;;
    --env-file | --label-file | --cidfile | -f | --file | --iidfile | -o | --output | --input)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return ;;
  esac
  local verb=${command[depth - 1]} names=""
  case "${command[*]}" in
    manifest\ *) return ;;
    network\ *) names=$("${engine[@]}" network ls --format '{{.Name}}' 2>/dev/null) ;;
    volume\ *) names=$("${engine[@]}" volume ls -q 2>/dev/null) ;;
    image\ build | build | builder\ build)
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      return ;;
    import | image\ import | load | image\ load)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return ;;
    image\ * | images | rmi | tag | push | history | save | run | create | *\ run | *\ create)
      if ((${#path[@]} > depth)) && [[ $verb == run || $verb == create ]]; then
        return
      fi
      names=$("${engine[@]}" images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null | grep -v '<none>') ;;
    start | rm | logs | inspect | commit | cp | diff | export | rename | wait | container\ *) names=$("${engine[@]}" ps -a --format '{{.Names}}' 2>/dev/null) ;;
    attach | exec | kill | pause | port | restart | stats | stop | top | unpause | update)
      names=$("${engine[@]}" ps --format '{{.Names}}' 2>/dev/null) ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
}

complete -o default -F _skiff skiff
if [[ $(readlink -f "$(type -P docker 2>/dev/null)" 2>/dev/null) == */skiff ]]; then
  complete -o default -F _skiff docker
fi
