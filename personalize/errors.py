"""Everything that can go wrong, as one tree.

    PersonalizeError
    ├── ConfigurationError          the service cannot start; the message says what to change
    │   ├── SeveralProblems         all that is wrong, at once
    │   │   ├── SettingsError       one or more settings are wrong
    │   │   └── MappingError        the destination's mappings are wrong
    │   ├── RecipeLoadError         a recipe file, module or declaration is wrong
    │   ├── ProviderLoadError       an installed provider cannot be made
    │   └── QueryError              a trigger in FQL cannot be read
    ├── RequestError                the caller's fault: answered as a problem (RFC 9457)
    │   ├── BadParameter            400: names the field
    │   ├── BadCredentials          401
    │   ├── ProofRequired           403
    │   ├── BadSignature            403
    │   ├── UnknownRecipe           404
    │   ├── BodyTooLarge            413
    │   ├── UnsupportedMediaType    415
    │   ├── TooManyRequests         429: a server's; a browser gets the defaults
    │   ├── MalformedRequest        400: no HTTP; this and the next three end a connection
    │   ├── TooSlow                 408
    │   ├── UrlTooLong              414
    │   └── HeadersTooLarge         431
    ├── NotErased                   503: a person is not forgotten everywhere
    ├── Busy                        503: too much is waiting
    ├── Overloaded                  503: too many are connected
    ├── SyncError                   rows cannot be brought to Segment any further
    ├── RowRefused                  one row of them cannot be sent
    ├── RecipeFailed                a recipe raised, overran or returned something else than it declared
    ├── ProviderFailed              a source of items could not be read
    └── ProfileApiError             Segment's Profile API
        ├── ProfileNotFound         404: normal, cached, not a failure
        ├── InvalidRequest          400, or what cannot even be asked
        │   └── ValidationFailed    400: a field has a value that it may not have
        ├── AuthenticationFailed    401, 403: the access token is not accepted
        ├── RateLimited             429
        ├── Shed                    not sent at all: the guard refused it
        ├── ServerFault             5xx
        ├── Unreachable             refused, reset, no such host
        ├── TimedOut                no answer in time
        └── Unreadable              an answer that is not what the documentation says

Each class owns its HTTP ``status``, its ``code`` (the problem's machine-readable word), its metric ``label`` and, in
seconds, when it is worth trying again.
Nothing here carries an access token, an external id or a response body.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias


class PersonalizeError(Exception):
    """Root of the tree; `retry_after` is in seconds, where it is known that asking again will help."""

    status = 500
    code = "internal_error"
    label = "error"
    retry_after: float | None = None


class ConfigurationError(PersonalizeError):
    """The service cannot start as it is configured."""

    code = "configuration_error"


class SeveralProblems(ConfigurationError):
    """What is configured is wrong in one or more places, all of which are told at once.

    Args:
        problems: one sentence a problem, each naming its place.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class SettingsError(SeveralProblems):
    """One or more settings are wrong."""


class RecipeLoadError(ConfigurationError):
    """A recipe cannot be loaded.

    Args:
        where: file and line, or the name that was asked for.
        reason: what is wrong and how to mend it.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"{where}: {reason}")


class ProviderLoadError(ConfigurationError):
    """An installed provider cannot be made.

    Args:
        where: its distribution, and what its entry point names.
        reason: what is wrong.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")


class MappingError(SeveralProblems):
    """The destination's mappings are wrong."""


class QueryError(ConfigurationError):
    """A condition in FQL cannot be read.

    Args:
        at: the character at which that showed, from 1.
        reason: what was expected there.
    """

    def __init__(self, at: int, reason: str) -> None:
        self.at = at
        super().__init__(f"at character {at}: {reason}")


class SyncError(PersonalizeError):
    """A run that brings rows to Segment cannot go on; what was sent is remembered."""


class RowRefused(PersonalizeError):
    """A row cannot be sent; the run goes on without it.

    Args:
        reason: what is wrong with it, as Segment says it.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RequestError(PersonalizeError):
    """The caller asked for something that cannot be answered."""

    status = 400
    code = "bad_request"
    label = "invalid"


class BadParameter(RequestError):
    """A parameter is missing, unknown, repeated or out of bounds.

    Args:
        field: the parameter's name as the caller wrote it.
        reason: what is wrong with it, as the rest of a sentence.
    """

    code = "invalid_parameter"

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        super().__init__(f"`{field}` {reason}")


class BadCredentials(RequestError):
    """The `Authorization` header carries no key or token that is good here, or is missing where there has to be one."""

    status = 401
    code = "bad_credentials"
    label = "denied"


class ProofRequired(RequestError):
    """The recipe does not answer about this visitor without proof."""

    status = 403
    code = "proof_required"
    label = "denied"


class BadSignature(RequestError):
    """The `X-Signature` header is missing, or is not that of the body."""

    status = 403
    code = "bad_signature"
    label = "denied"


class UnknownRecipe(RequestError):
    """No recipe of that name is loaded."""

    status = 404
    code = "unknown_recipe"
    label = "unknown"


class BodyTooLarge(RequestError):
    """The body is larger than anything that can be asked."""

    status = 413
    code = "body_too_large"


class UnsupportedMediaType(RequestError):
    """The body is not of a type that is read here."""

    status = 415
    code = "unsupported_media_type"


class NotErased(PersonalizeError):
    """Not all that is cached of a person is forgotten: ask again."""

    status = 503
    code = "not_erased"
    retry_after = 1


class Busy(PersonalizeError):
    """Too much is waiting to be worked off: send it again."""

    status = 503
    code = "busy"
    retry_after = 5


class TooManyRequests(RequestError):
    """The caller has asked for more than it may just now that is not known here yet.

    Args:
        retry_after: seconds after which it may ask again.
    """

    status = 429
    code = "too_many_requests"
    label = "limited"
    retry_after: float | None = 1

    def __init__(self, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__("This API key has asked about too many visitors within a second who are not known here yet.")


class MalformedRequest(RequestError):
    """What came is not HTTP, or not a request that can be told from what follows it."""

    code = "malformed_request"


class TooSlow(RequestError):
    """The request did not come within the time that it may take."""

    status = 408
    code = "too_slow"


class UrlTooLong(RequestError):
    """The URL is longer than anything that can be asked."""

    status = 414
    code = "url_too_long"


class HeadersTooLarge(RequestError):
    """There are more headers than anybody needs, or larger ones."""

    status = 431
    code = "headers_too_large"


class Overloaded(PersonalizeError):
    """The process answers as many as it can."""

    status = 503
    code = "overloaded"
    retry_after = 1


class RecipeFailed(PersonalizeError):
    """A recipe did not give the answer that it declares.

    Args:
        reason: `raised`, `overran` or `returned` (something else than it declares).
    """

    code = "recipe_failed"

    def __init__(self, reason: Literal["raised", "overran", "returned"]) -> None:
        self.reason = reason
        super().__init__("The recipe could not be answered.")


class ProviderFailed(PersonalizeError):
    """A source of items could not be fetched or read."""

    status = 502
    code = "provider_failed"


class ProfileApiError(PersonalizeError):
    """A read of the Profile API failed.

    Args:
        message: what happened, without ids, tokens or bodies.
        request_id: Segment's own `Request-Id` of the answer, where there was one.
        upstream_status: the answer's HTTP status, where it was no success.
        upstream_code: its `error.code`, where it had one.
    """

    status = 502
    code = "profile_api_error"
    label = "failed"

    def __init__(
        self,
        message: str,
        request_id: str | None = None,
        *,
        upstream_status: int | None = None,
        upstream_code: str | None = None,
    ) -> None:
        self.request_id = request_id
        self.upstream_status = upstream_status
        self.upstream_code = upstream_code
        super().__init__(f"{message} (Request-Id {request_id})" if request_id else message)


class ProfileNotFound(ProfileApiError):
    """The space has no such profile."""

    status = 404
    code = "profile_not_found"
    label = "not_found"


class InvalidRequest(ProfileApiError):
    """The Profile API did not accept the request, or would not (`invalid_request_error`)."""

    code = "profile_api_invalid_request"
    label = "invalid_request"


class ValidationFailed(InvalidRequest):
    """The Profile API did not accept a value, such as a collection's name (`validation_error`)."""

    code = "profile_api_validation_failed"
    label = "validation_failed"


class AuthenticationFailed(ProfileApiError):
    """The Profile API did not accept the access token."""

    code = "profile_api_authentication_failed"
    label = "authentication_failed"


class RateLimited(ProfileApiError):
    """The space's rate limit is spent.

    Args:
        retry_after: seconds after which the answer said to come back, where it said so.
    """

    code = "profile_api_rate_limited"
    label = "rate_limited"

    def __init__(
        self,
        message: str,
        request_id: str | None = None,
        *,
        upstream_status: int | None = None,
        upstream_code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.retry_after = retry_after
        super().__init__(message, request_id, upstream_status=upstream_status, upstream_code=upstream_code)


ShedReason: TypeAlias = Literal["budget", "paused", "breaker", "concurrency", "unauthorized", "client"]


class Shed(ProfileApiError):
    """The guard did not let the call go out.

    Args:
        reason: the rate budget is spent, a 429's pause is not over, the breaker is open, too many calls are under way,
            the access token was not accepted a moment ago, or the client of the request has had its share.
    """

    code = "profile_api_shed"
    label = "shed"

    def __init__(self, reason: ShedReason) -> None:
        self.reason = reason
        super().__init__(f"The Profile API was not asked ({reason}).")


class ServerFault(ProfileApiError):
    """The Profile API answered 5xx."""

    code = "profile_api_server_fault"
    label = "server_fault"


class Unreachable(ProfileApiError):
    """No connection, or it broke before the answer was whole."""

    code = "profile_api_unreachable"
    label = "unreachable"


class TimedOut(ProfileApiError):
    """No whole answer within the time allowed."""

    status = 504
    code = "profile_api_timed_out"
    label = "timed_out"


class Unreadable(ProfileApiError):
    """The answer is not what the documentation says; its body is never quoted."""

    code = "profile_api_unreadable"
    label = "unreadable"
