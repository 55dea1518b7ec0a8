_ebpftop() {
    local typed=${COMP_LINE:0:COMP_POINT} words current cut line
    read -ra words <<<"$typed"
    [[ $typed == *[[:space:]] ]] && words+=("")
    current=${words[-1]}
    cut=${current%"${current##*[=:]}"}
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :files) compopt -o filenames; mapfile -O ${#COMPREPLY[@]} -t COMPREPLY < <(compgen -f -- "$current") ;;
        :folders) compopt -o filenames; mapfile -O ${#COMPREPLY[@]} -t COMPREPLY < <(compgen -d -- "$current") ;;
        *=*$'\t'*) compopt -o nospace; COMPREPLY+=("${line%%$'\t'*}") ;;
        *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
    [[ -z $cut ]] || COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}
complete -F _ebpftop ebpftop
