# Made by envsync, for fish:  source bin/activate.fish  and afterwards  deactivate
# It does what "conda activate" does, which works with this environment as well and does not read this file.
# Like there, *.fish in etc/conda/activate.d and etc/conda/deactivate.d are read.

if functions -q deactivate; and test -n "$VIRTUAL_ENV$_envsync_prefix"
    deactivate
end

set -g _envsync_prefix @PREFIX@
set -g _envsync_prompt @PROMPT@

# The variables of conda-meta/state and etc/conda/env_vars.d, as they were when this was made.
function _envsync_each_variable
    true@VARIABLES@
end

function _envsync_set
    if set -q $argv[1]
        set -gx __CONDA_SHLVL_"$_envsync_level"_$argv[1] "$$argv[1]"
    end
    set -gx $argv[1] $argv[2]
end

function _envsync_reset
    set -l saved __CONDA_SHLVL_"$_envsync_level"_$argv[1]
    if set -q $saved
        set -gx $argv[1] "$$saved"
        set -e $saved
    else
        set -e $argv[1]
    end
end

function _envsync_restore
    if test -n "$argv[2]"
        set -gx $argv[1] $argv[2]
    else
        set -e $argv[1]
    end
end

function _envsync_leave_path
    if set -l index (contains -i -- $argv[1] $PATH)
        set -e PATH[$index]
    end
end

function _envsync_scripts
    set -l scripts $argv[1]/etc/conda/$argv[2].d/*.fish
    if test $argv[2] = deactivate
        set scripts $scripts[-1..1]
    end
    for script in $scripts
        source $script
    end
end

function _envsync_forget
    if functions -q _envsync_old_prompt
        functions -e fish_prompt
        functions -c _envsync_old_prompt fish_prompt
        functions -e _envsync_old_prompt
    end
    for name in prefix prompt level old_prefix old_level old_default_env old_modifier old_path new_path
        set -e _envsync_$name
    end
    functions -e _envsync_each_variable _envsync_set _envsync_reset _envsync_restore _envsync_leave_path
    functions -e _envsync_scripts deactivate _envsync_forget
end

function deactivate -d "Leave the environment"
    if test "$CONDA_PREFIX" != "$_envsync_prefix"
        echo "deactivate: $_envsync_prefix is not what is active: see conda deactivate" >&2
        _envsync_forget
        return 1
    end
    _envsync_scripts $_envsync_prefix deactivate
    _envsync_each_variable _envsync_reset
    if test "$PATH" = "$_envsync_new_path"
        set -gx PATH $_envsync_old_path
    else
        _envsync_leave_path $_envsync_prefix/bin
        if test -n "$_envsync_old_prefix"
            set -gx PATH $_envsync_old_prefix/bin $PATH
        end
    end
    set -e CONDA_PREFIX_$_envsync_level
    _envsync_restore CONDA_PREFIX "$_envsync_old_prefix"
    _envsync_restore CONDA_SHLVL "$_envsync_old_level"
    _envsync_restore CONDA_DEFAULT_ENV "$_envsync_old_default_env"
    _envsync_restore CONDA_PROMPT_MODIFIER "$_envsync_old_modifier"
    if test -n "$_envsync_old_prefix"
        _envsync_scripts $_envsync_old_prefix activate
    end
    _envsync_forget
end

set -g _envsync_old_prefix "$CONDA_PREFIX"
set -g _envsync_old_level "$CONDA_SHLVL"
set -g _envsync_old_default_env "$CONDA_DEFAULT_ENV"
set -g _envsync_old_modifier "$CONDA_PROMPT_MODIFIER"
set -g _envsync_level 0
if string match -qr '^[0-9]+$' -- "$_envsync_old_level"
    set _envsync_level $_envsync_old_level
end

if test -n "$_envsync_old_prefix"
    _envsync_scripts $_envsync_old_prefix deactivate
end
if test "$_envsync_old_prefix" = "$_envsync_prefix"
    # Active already, as in a shell that was started from there: what was active before that comes back afterwards.
    _envsync_leave_path $_envsync_prefix/bin
    if test $_envsync_level -gt 0
        set _envsync_level (math $_envsync_level - 1)
    end
    _envsync_each_variable _envsync_reset
    set -l name CONDA_PREFIX_$_envsync_level
    set _envsync_old_prefix "$$name"
    if test -n "$_envsync_old_prefix"
        set -gx PATH $_envsync_old_prefix/bin $PATH
    end
    set _envsync_old_level $_envsync_level
    set _envsync_old_default_env "$_envsync_old_prefix"
    set _envsync_old_modifier
end
set -g _envsync_old_path $PATH
if test -n "$_envsync_old_prefix"
    _envsync_leave_path $_envsync_old_prefix/bin
    set -gx CONDA_PREFIX_$_envsync_level $_envsync_old_prefix
end
set -gx PATH $_envsync_prefix/bin $PATH
set -gx CONDA_PREFIX $_envsync_prefix
set -gx CONDA_SHLVL (math $_envsync_level + 1)
set -gx CONDA_DEFAULT_ENV @DEFAULT_ENV@
set -gx CONDA_PROMPT_MODIFIER $_envsync_prompt
_envsync_each_variable _envsync_set
set -g _envsync_new_path "$PATH"
if functions -q fish_prompt
    functions -c fish_prompt _envsync_old_prompt
    function fish_prompt
        printf '%s' $_envsync_prompt
        _envsync_old_prompt
    end
end
_envsync_scripts $_envsync_prefix activate
