# Made by envsync, for sh, bash and zsh:  . bin/activate  and afterwards  deactivate
# It does what "conda activate" does, which works with this environment as well and does not read this file.
# Like there, *.sh in etc/conda/activate.d and etc/conda/deactivate.d are read.

if [ "$(command -v deactivate 2>/dev/null)" = deactivate ] && [ -n "${VIRTUAL_ENV-}${_envsync_prefix-}" ]; then
    deactivate
fi

_envsync_prefix=@PREFIX@
_envsync_default_env=@DEFAULT_ENV@
_envsync_prompt=@PROMPT@

# The variables of conda-meta/state and etc/conda/env_vars.d, as they were when this was made.
_envsync_each_variable() {
    :@VARIABLES@
}

_envsync_set() {
    eval "if [ -n \"\${$1+x}\" ]; then export __CONDA_SHLVL_${_envsync_level}_$1=\"\${$1}\"; fi"
    export "$1=$2"
}

_envsync_reset() {
    eval "if [ -n \"\${__CONDA_SHLVL_${_envsync_level}_$1+x}\" ]; then
        export $1=\"\${__CONDA_SHLVL_${_envsync_level}_$1}\"
        unset __CONDA_SHLVL_${_envsync_level}_$1
    else
        unset $1
    fi"
}

_envsync_restore() {
    if [ -n "$2" ]; then export "$1=$2"; else unset "$1"; fi
}

_envsync_leave_path() {
    case ":$PATH:" in
        *":$1:"*)
            _envsync_rest=":$PATH:"
            PATH="${_envsync_rest%%":$1:"*}:${_envsync_rest#*":$1:"}"
            PATH="${PATH#:}"
            PATH="${PATH%:}"
            unset _envsync_rest
            ;;
    esac
}

_envsync_scripts() {
    # zsh ends at a pattern that matches nothing.
    if [ -n "${ZSH_VERSION-}" ]; then setopt local_options no_nomatch; fi
    _envsync_folder="$1/etc/conda/$2.d"
    _envsync_kind="$2"
    set --
    for _envsync_script in "$_envsync_folder"/*.sh; do
        if [ ! -r "$_envsync_script" ]; then
            :
        elif [ "$_envsync_kind" = activate ]; then
            set -- "$@" "$_envsync_script"
        else
            set -- "$_envsync_script" "$@"
        fi
    done
    # Scripts of packages are not all written for set -u.
    _envsync_nounset=
    case "$-" in *u*) _envsync_nounset=x; set +u ;; esac
    for _envsync_script in "$@"; do
        set --
        . "$_envsync_script"
    done
    if [ -n "$_envsync_nounset" ]; then set -u; fi
    unset _envsync_folder _envsync_kind _envsync_script _envsync_nounset
}

_envsync_forget() {
    unset _envsync_prefix _envsync_default_env _envsync_prompt _envsync_level _envsync_old_prefix _envsync_old_level
    unset _envsync_old_default_env _envsync_old_modifier _envsync_old_ps1 _envsync_old_path _envsync_new_path
    unset -f _envsync_each_variable _envsync_set _envsync_reset _envsync_restore _envsync_leave_path _envsync_scripts
    unset -f deactivate _envsync_forget
    hash -r 2>/dev/null || :
}

deactivate() {
    if [ "${CONDA_PREFIX-}" != "$_envsync_prefix" ]; then
        echo "deactivate: $_envsync_prefix is not what is active: see conda deactivate" >&2
        _envsync_forget
        return 1
    fi
    _envsync_scripts "$_envsync_prefix" deactivate
    _envsync_each_variable _envsync_reset
    if [ "$PATH" = "$_envsync_new_path" ]; then
        PATH="$_envsync_old_path"
    else
        _envsync_leave_path "$_envsync_prefix/bin"
        PATH="${_envsync_old_prefix:+$_envsync_old_prefix/bin:}$PATH"
    fi
    export PATH
    unset "CONDA_PREFIX_$_envsync_level"
    _envsync_restore CONDA_PREFIX "$_envsync_old_prefix"
    _envsync_restore CONDA_SHLVL "$_envsync_old_level"
    _envsync_restore CONDA_DEFAULT_ENV "$_envsync_old_default_env"
    _envsync_restore CONDA_PROMPT_MODIFIER "$_envsync_old_modifier"
    if [ -n "${PS1-}" ]; then PS1="$_envsync_old_ps1"; fi
    if [ -n "$_envsync_old_prefix" ]; then _envsync_scripts "$_envsync_old_prefix" activate; fi
    _envsync_forget
}

_envsync_old_prefix="${CONDA_PREFIX-}"
_envsync_old_level="${CONDA_SHLVL-}"
_envsync_old_default_env="${CONDA_DEFAULT_ENV-}"
_envsync_old_modifier="${CONDA_PROMPT_MODIFIER-}"
_envsync_old_ps1="${PS1-}"
case "$_envsync_old_level" in
    '' | *[!0-9]*) _envsync_level=0 ;;
    *) _envsync_level="$_envsync_old_level" ;;
esac

if [ -n "$_envsync_old_prefix" ]; then _envsync_scripts "$_envsync_old_prefix" deactivate; fi
if [ "$_envsync_old_prefix" = "$_envsync_prefix" ]; then
    # Active already, as in a shell that was started from there: what was active before that comes back afterwards.
    _envsync_leave_path "$_envsync_prefix/bin"
    if [ "$_envsync_level" -gt 0 ]; then _envsync_level=$((_envsync_level - 1)); fi
    _envsync_each_variable _envsync_reset
    eval "_envsync_old_prefix=\"\${CONDA_PREFIX_${_envsync_level}-}\""
    if [ -n "$_envsync_old_prefix" ]; then PATH="$_envsync_old_prefix/bin:$PATH"; fi
    _envsync_old_level="$_envsync_level"
    _envsync_old_default_env="$_envsync_old_prefix"
    _envsync_old_ps1="${PS1-}"
    _envsync_old_ps1="${_envsync_old_ps1#"$_envsync_old_modifier"}"
    _envsync_old_modifier=
fi
_envsync_old_path="$PATH"
if [ -n "$_envsync_old_prefix" ]; then
    _envsync_leave_path "$_envsync_old_prefix/bin"
    export "CONDA_PREFIX_$_envsync_level=$_envsync_old_prefix"
fi
PATH="$_envsync_prefix/bin${PATH:+:$PATH}"
export PATH
export CONDA_PREFIX="$_envsync_prefix"
export CONDA_SHLVL=$((_envsync_level + 1))
export CONDA_DEFAULT_ENV="$_envsync_default_env"
if [ -n "${PS1-}" ]; then PS1="$_envsync_prompt${PS1#"${CONDA_PROMPT_MODIFIER-}"}"; fi
export CONDA_PROMPT_MODIFIER="$_envsync_prompt"
_envsync_each_variable _envsync_set
_envsync_new_path="$PATH"
_envsync_scripts "$_envsync_prefix" activate
hash -r 2>/dev/null || :
