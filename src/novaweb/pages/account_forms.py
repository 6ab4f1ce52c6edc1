"""The forms for accounts and API keys."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.core.exceptions import ValidationError

from novaweb.accounts.keys import find_key
from novaweb.accounts.models import ApiKey, User

_MAX_KEY_CHARS = 64


class KeySignInForm(forms.Form):
    """The sign-in with an API key.  No one can guess a key, since it has 75 random bits."""

    key = forms.CharField(
        label="API key",
        max_length=_MAX_KEY_CHARS,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def clean_key(self) -> ApiKey:
        """Return the row of the key."""
        found = find_key(self.cleaned_data["key"].strip())
        if found is None:
            raise ValidationError("There is no such key, or it was revoked.")
        return found


class SignUpForm(UserCreationForm):  # type: ignore[type-arg]  # it takes no type when the program runs
    """The name, e-mail address and password of a new account."""

    class Meta:
        """The fields that Django takes from the row."""

        model = User
        fields: ClassVar = ["username", "email"]

    def clean_username(self) -> str:
        """Return the name; refuse one that differs from another only in upper and lower case."""
        name: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exists():
            raise ValidationError("An account has this name: choose another one.")
        return name


class DeleteForm(forms.Form):
    """The name of the account that is to be deleted, typed again."""

    name = forms.CharField(label="Your user name", widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        """Accept the name of ``person`` alone."""
        super().__init__(*args, **kwargs)
        self._person = person

    def clean_name(self) -> str:
        """Return the name."""
        name: str = self.cleaned_data["name"]
        if name != self._person.username:
            raise ValidationError("This is not your user name.")
        return name


class KeyForm(forms.Form):
    """The name of a new API key."""

    name = forms.CharField(label="Name of the new key", max_length=_MAX_KEY_CHARS)

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        """Refuse a name that another key of ``person`` has."""
        super().__init__(*args, **kwargs)
        self._person = person

    def clean_name(self) -> str:
        """Return the name."""
        name: str = self.cleaned_data["name"]
        if ApiKey.objects.filter(user=self._person, name=name).exists():
            raise ValidationError("You have a key of this name: choose another name.")
        return name
