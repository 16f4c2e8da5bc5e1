from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from app.http.fields import Text
from app.users.schemas import Login, Profile


def _encodable(value: SecretStr) -> SecretStr:
    try:
        value.get_secret_value().encode()
    except UnicodeEncodeError as error:
        raise ValueError("must not contain half a surrogate pair") from error
    return value


# Other text is looked at by pydantic, which doesn't look into secrets.
Password = Annotated[SecretStr, AfterValidator(_encodable)]


class Registration(Profile):
    login: Login = Field(examples=["alice@school.org"])
    password: Password = Field(min_length=8, max_length=128, examples=["correct horse battery"])
    invitation_code: Text = Field(min_length=4, max_length=50, examples=["DEMO-A1B2C"])


class Credentials(BaseModel):
    login: Login = Field(examples=["alice@school.org"])
    password: Password = Field(max_length=128, examples=["correct horse battery"])
