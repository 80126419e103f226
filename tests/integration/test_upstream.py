"""What the service asks of the Profile API, as the sandbox recorded it, and what it does without an answer."""

from pathlib import Path

import httpx

from tests.processes import personalize, wait_for_port, wait_for_urls, wait_until_ready
from tests.sites import against, upstream_calls

SECOND_RECIPE = '''
"""A greeting."""

from typing import Annotated

from personalize import Trait, recipe


@recipe("greeting", access="public")
def greeting(first_name: Annotated[str, Trait("first_name")] = "you") -> str:
    """Greet the visitor."""
    return f"Hello, {first_name}!"
'''


def test_a_second_recipe_costs_no_upstream_call(client: httpx.Client, sandbox_url: str, tmp_path: Path) -> None:
    """Two recipes of one page read one section: one call, whose `include` names exactly the plan."""
    (tmp_path / "greeting.py").write_text(SECOND_RECIPE)
    settings = against(sandbox_url, RECIPES=f"shipped,{tmp_path}")
    with personalize("serve", "--port", "0", environment=settings) as run:
        [service] = wait_for_urls(run, 1)
        posts = client.get(f"{service}/api/recommended-posts?user_id=ada").json()
        greeting = client.get(f"{service}/api/greeting?user_id=ada").json()

    assert posts["personalized"] is True
    assert greeting == {"recipe": "greeting", "personalized": True, "degraded": False, "data": "Hello, Ada!"}
    [call] = upstream_calls(client, sandbox_url)
    assert call.endswith("/user_id%3Aada/traits?include=favorite_blog_category,first_name&limit=2")


def test_bad_input_reaches_nobody(client: httpx.Client, sandbox_url: str) -> None:
    """What is refused is refused before anything is asked of Segment, and the answer names the field."""
    bad = {
        "": "user_id",
        "user_id=&anonymous_id=": "user_id",
        "user_id=ada&colour=red": "colour",
        "user_id=ada&user_id=bob": "user_id",
        "user_id=ada&limit=0": "limit",
        "user_id=ada&limit=abc": "limit",
        f"user_id={'x' * 300}": "user_id",
        "user_id=a%0Ab": "user_id",
    }
    with personalize("serve", "--port", "0", environment=against(sandbox_url)) as run:
        [service] = wait_for_urls(run, 1)
        answers = {query: client.get(f"{service}/api/recommended-posts?{query}") for query in bad}
        unknown = client.get(f"{service}/api/no-such-recipe?user_id=ada")

    for query, answer in answers.items():
        assert answer.status_code == 400, query
        assert f"`{bad[query]}`" in answer.json()["detail"], query
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert unknown.status_code == 404
    assert upstream_calls(client, sandbox_url) == []


def test_without_segment_a_page_gets_the_defaults(client: httpx.Client, tmp_path: Path) -> None:
    """Nothing listens where the Profile API should be: 200, the newest posts, degraded."""
    feed = Path(__file__).parents[1] / "data/feeds/wordpress.rss"
    settings = against("http://127.0.0.1:9", POSTS_URL=str(feed))
    with personalize("serve", "--port", "0", environment=settings) as run:
        [service] = wait_for_urls(run, 1)
        answer = client.get(f"{service}/api/recommended-posts?user_id=ada")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, max-age=0"
    body = answer.json()
    assert (body["personalized"], body["degraded"]) == (False, True)
    assert [post["title"] for post in body["data"]][:2] == ["Hello world!", "Größe & Maß note number 10"]


def test_a_restart_keeps_what_redis_knows(client: httpx.Client, sandbox_url: str, redis_url: str) -> None:
    """With Redis, the first answer of a new process needs no upstream call."""
    settings = against(sandbox_url, REDIS_URL=redis_url)
    answers = []
    for _ in range(2):
        with personalize("serve", "--port", "0", environment=settings) as run:
            [service] = wait_for_urls(run, 1)
            wait_until_ready(service)
            answers.append(client.get(f"{service}/api/recommended-posts?user_id=ada").json())
            metrics = client.get(f"{service}/metrics").text

    assert answers[0] == answers[1]
    assert answers[1]["personalized"] is True
    assert len(upstream_calls(client, sandbox_url)) == 1
    assert 'personalize_cache_reads_total{section="traits",tier="redis"} 1.0' in metrics


def test_two_workers_answer_and_stop(client: httpx.Client, sandbox_url: str) -> None:
    """Workers share the port, and the whole service ends with status 0 when it is told to stop."""
    with personalize("serve", "--port", "0", "--workers", "2", environment=against(sandbox_url)) as run:
        [service] = wait_for_urls(run, 1)
        wait_for_port(int(service.rpartition(":")[2]))
        answers = [client.get(f"{service}/api/recommended-posts?user_id=ada").json() for _ in range(8)]

    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["personalized"] is True
    assert run.process.returncode == 0
