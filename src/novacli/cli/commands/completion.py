"""``nova completion``: print the shell's completion script."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
def command(shell: str) -> int:
    """Print the completion script of a shell; commands, options and job ids are completed.

    \b
    bash:  nova completion bash > ~/.local/share/bash-completion/completions/nova
    zsh:   nova completion zsh > "${fpath[1]}/_nova"
    fish:  nova completion fish > ~/.config/fish/completions/nova.fish
    """
    from novacli.cli.main import cli

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    click.echo(completion(cli, {}, "nova", "_NOVA_COMPLETE").source())
    return 0
