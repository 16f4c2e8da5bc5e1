from pydantic import SecretStr, ValidationError

from app.auth import passwords
from app.auth.schemas import Credentials
from app.db.init import require_head
from app.db.session import Database
from app.errors import InvalidInput
from app.users import service
from app.users.schemas import Profile, UserOut

SHORTEST_PASSWORD = 12


def create_admin(database: Database, login: str, password: str, name: str | None) -> UserOut:
    """Makes an administrator, who belongs to no organization.

    Raises:
        InvalidInput: the login name, the password or the name can't be used.
        LoginTaken: there is a user with this login name.
        SchemaDiffers: the database isn't prepared.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(f"the password needs at least {SHORTEST_PASSWORD} characters")
    try:
        # What the login form refuses would lock the administrator out.
        credentials = Credentials(login=login, password=SecretStr(password))
        profile = Profile(name=name)
    except ValidationError as error:
        raise InvalidInput(_sentence(error)) from None
    with database.read() as session:
        require_head(session.connection())
    password_hash = passwords.make_hash(password)
    with database.begin() as session:
        user = service.create(
            session,
            login=credentials.login,
            password_hash=password_hash,
            name=profile.name,
            role="admin",
        )
        return UserOut.model_validate(user)


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    problem = first["msg"].removeprefix("Value error, ")
    return f"the {first['loc'][0]} can't be used: {problem[:1].lower()}{problem[1:]}"
