"""Any id makes the whole way: tracked, looked up by the service, found."""

import httpx

from tests.processes import personalize, wait_for_urls
from tests.sites import against, track

IDS = [
    "a+b",
    "a/b",
    "../../x",
    "..",
    "%2f",
    "a%2Fb",
    "a?b=c",
    "a#b",
    "with space",
    " ",
    "a:b:c",
    "user_id:x",
    "größe",
    "日本語",
    "😀👩‍👩‍👧",
    "a&limit=0",
    "a;b,c",
    '"quoted"',
    "<script>",
    "\\back\\slash",
    "x" * 255,
    "ü" * 255,
]


def test_any_id_is_found_again(client: httpx.Client, sandbox_url: str) -> None:
    """Nothing in an id leaves its place in the path, on either side of the wire."""
    found = {}
    for number, value in enumerate(IDS):
        track(client, sandbox_url, userId=value, event="Post Viewed", properties={"category": f"c{number}"})
    with personalize("serve", "--port", "0", environment=against(sandbox_url, DEADLINE="2s")) as run:
        [url] = wait_for_urls(run, 1)
        for value in IDS:
            answer = client.get(f"{url}/api/recommended-posts", params={"user_id": value})
            found[value] = answer.json().get("personalized")
    assert found == dict.fromkeys(IDS, True)
