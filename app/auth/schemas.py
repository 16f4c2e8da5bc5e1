from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationInfo, field_validator

from app.http.fields import Text
from app.users.schemas import Login, Profile

CaptchaKind = Literal["image", "audio"]


def _encodable(value: SecretStr) -> SecretStr:
    try:
        value.get_secret_value().encode()
    except UnicodeEncodeError as error:
        raise ValueError("must not contain half a surrogate pair") from error
    return value


# Other text is looked at by pydantic, which doesn't look into secrets.
Password = Annotated[
    SecretStr, Field(max_length=128, examples=["correct horse battery"]), AfterValidator(_encodable)
]
NewPassword = Annotated[Password, Field(min_length=8)]


def is_login(password: SecretStr, login: str) -> bool:
    """Whether a password is but the login name, which is what a guesser tries first."""
    return password.get_secret_value().strip().lower() == login


class Answer(BaseModel):
    """The answer to a captcha, where one is needed."""

    captcha_id: Text | None = Field(None, max_length=64, examples=["uN4hGzZ1qVJmcJ0T0n7K6w"])
    captcha_answer: Text | None = Field(None, max_length=64, examples=["k7mxp"])


class Registration(Profile, Answer):
    login: Login = Field(examples=["alice@school.org"])
    password: NewPassword
    invitation_code: Text = Field(min_length=4, max_length=50, examples=["DEMO-A1B2C"])

    @field_validator("password")
    @classmethod
    def _is_no_login(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if is_login(value, info.data.get("login", "")):
            raise ValueError("must not be the login name")
        return value


class Credentials(Answer):
    """A captcha is needed only while the login name is locked."""

    login: Login = Field(examples=["alice@school.org"])
    password: Password


class PasswordChange(Answer):
    """A captcha is needed only while the login name is locked."""

    current_password: Password
    new_password: NewPassword = Field(examples=["a better horse battery"])


class PasswordResetIn(BaseModel):
    token: Text = Field(
        min_length=1, max_length=100, examples=["zK3yq0Jm1v9cN5tQxW7aB2dE4fG6hI8jL0mN1oP2qR3"]
    )
    new_password: NewPassword


class CaptchaIn(BaseModel):
    kind: CaptchaKind = Field(examples=["image"])


class CaptchaOut(BaseModel):
    id: str
    kind: CaptchaKind
    # Seconds.
    expires_in: int
    media_type: Literal["image/png", "audio/wav"]
    # In base64.
    data: str


class SessionOut(BaseModel):
    id: str
    created_at: datetime
    last_seen_at: datetime
    ends_at: datetime
    address: str | None
    agent: str | None
    current: bool
