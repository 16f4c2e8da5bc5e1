"""Diagrams of all ten kinds, as clients and earlier databases have them."""

from typing import Any

Spec = dict[str, Any]

# The form that each kind has of its own: as small as it may be, plain, and with everything.
OWN_FORMS: dict[str, list[Spec]] = {
    "brace_map": [
        {"whole": ""},
        {"topic": "水", "parts": ["氢", "氧"]},
        {
            "whole": "Climate Change 🌍",
            "dimension": "parts",
            "parts": [
                {"name": "CO₂ it's", "subparts": [{"name": "oceans"}, "air"]},
                {"text": "methane", "children": [{"label": "永久冻土", "subparts": []}]},
            ],
        },
    ],
    "bridge_map": [
        {"analogies": []},
        {"relating_factor": "首都", "analogies": [{"left": "法国", "right": "巴黎", "id": 0}]},
        {"dimension": "eats", "analogies": [{"left": "fox", "right": "hare", "id": "a1"}]},
    ],
    "bubble_map": [
        {"topic": ""},
        {"topic": "Food Chain", "attributes": ["producer", {"text": "消费者", "id": "n1"}]},
    ],
    "circle_map": [
        {"topic": ""},
        {"topic": "牛顿定律", "context": ["参考系", "F=ma", "加速度"], "_layout": {"r": 1.5}},
    ],
    "concept_map": [
        {"topic": ""},
        {
            "topic": "红楼梦人物",
            "concepts": ["贾宝玉", {"label": "林黛玉"}],
            "relationships": [
                {"from": "红楼梦人物", "to": "贾宝玉", "label": "包括"},
                {"from": "贾宝玉", "to": "林黛玉"},
            ],
            "_method": "two-stage",
            "_concept_count": 8,
        },
    ],
    "double_bubble_map": [
        {"left": "", "right": ""},
        {
            "left": "Food Chain",
            "right": "能量",
            "similarities": ["habitat"],
            "left_differences": ["prey"],
            "right_differences": [],
        },
    ],
    "flow_map": [
        {"title": ""},
        {"topic": "水循环", "steps": ["蒸发", {"text": "凝结"}]},
        {
            "title": "Tea",
            "steps": ["boil", "pour"],
            "substeps": [{"step": "boil", "substeps": ["fill", "heat"]}, {"step": "pour"}],
            "orientation": "vertical",
        },
    ],
    "mind_map": [
        {"topic": ""},
        {"topic": "水 💧", "children": ["light", {"text": "👩🏽‍🔬"}], "x": -0.5},
        {
            "topic": "中国传统节日",
            "children": [
                {
                    "id": "branch_0",
                    "label": "春节🧧",
                    "children": [{"id": "sub_0_0", "label": "春节🧧 1", "children": []}],
                },
                {"id": None, "text": None, "name": "清明"},
            ],
            "_layout": {"algorithm": "clean_vertical", "positions": {"branch_0": {"x": 0.0}}},
        },
    ],
    "multi_flow_map": [
        {"event": ""},
        {"event": "鸦片战争", "causes": ["贸易"], "effects": [{"text": "南京条约"}]},
    ],
    "tree_map": [
        {"topic": ""},
        {"topic": "动物", "dimension": "class", "children": [{"text": "鱼", "children": ["鲤"]}]},
    ],
}
KINDS = sorted(OWN_FORMS)


def node_forms(kind: str) -> list[Spec]:
    """The form that all kinds have in common."""
    return [
        {"nodes": []},
        {"nodes": [{"id": "1", "text": None, "parentId": None, "position": None}]},
        {
            "type": kind,
            "nodes": [
                {"id": "n0", "text": "生产者 it's", "type": "branch", "parentId": "topic"},
                {"id": "topic", "label": "Food Chain", "position": {"x": 400, "y": 300.5}},
                {
                    "id": "n1",
                    "text": "",
                    "parentId": "n0",
                    "style": {"backgroundColor": "#E3F2FD", "fontSize": 14},
                },
            ],
            "connections": [
                {"id": "e0", "source": "topic", "target": "n0", "edgeType": "curved"},
                {"source": "n0", "target": "topic", "label": "回到"},
            ],
            "metadata": {"title": "Food Chain"},
            "_customPositions": {"n0": {"x": 12.5, "y": 8}},
            "_node_styles": {},
        },
    ]


DIAGRAMS = [(kind, spec) for kind in KINDS for spec in OWN_FORMS[kind] + node_forms(kind)]
