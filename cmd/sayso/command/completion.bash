
# Without the package bash-completion: what is used of it above, as far as it is.
if ! declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref() {
        local line=${COMP_LINE:0:COMP_POINT}
        read -ra words <<<"$line"
        [[ $line == *[[:space:]] ]] && words+=("")
        cword=$((${#words[@]} - 1))
        cur=${words[cword]}
        prev=${words[cword > 0 ? cword - 1 : 0]}
    }
fi
if ! declare -F _filedir >/dev/null; then
    _filedir() { # [-d | EXTENSION|EXTENSION]
        local path
        compopt -o filenames 2>/dev/null
        while IFS= read -r path; do
            if [[ -d $path || $# == 0 || ($1 != -d && $path =~ \.($1)$) ]]; then
                COMPREPLY+=("$path")
            fi
        done < <(compgen -f -- "$cur")
    }
fi
