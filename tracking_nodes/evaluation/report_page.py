"""The template of the HTML report."""

PAGE = r"""{% macro auc_table(title, rows) %}
<table>
<tr><th>{{ title }}</th>
{% for tracker in sequences.trackers %}<th>{{ tracker }}</th>{% endfor %}
</tr>
{% for name, cells in rows %}
<tr><td>{{ name }}</td>
{% for cell in cells %}
<td{% if cell.best %} class="best"{% endif %}>{{ cell.text }}</td>
{% endfor %}
</tr>
{% endfor %}
</table>
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tracking benchmark</title>
<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #8885; text-align: right }
th:first-child, td:first-child { text-align: left }
td.best { font-weight: 700 }
img { max-width: 48%; min-width: 20rem; background: white }
pre { white-space: pre-wrap }
</style>
</head>
<body>
<h1>Tracking benchmark</h1>
<p>One-pass evaluation: started once on the first ground truth, never reset. Success and precision
are of variant <b>{{ variant }}</b>: first frame {{ rule.first }}, frames without ground truth
{{ rule.absent }}. Overall numbers are means over sequences.</p>
<table>
<tr><th>tracker</th><th>sequences</th><th>frames</th>
{% for metric in metrics %}
<th title="{{ metric.definition }}">{{ metric.name }}</th>
{% endfor %}
</tr>
{% for row in overall %}
<tr><td>{{ row.tracker }}</td><td>{{ row.sequences }}</td><td>{{ row.frames }}</td>
{% for cell in row.cells %}
<td{% if cell.best %} class="best"{% endif %}>{{ cell.text }}</td>
{% endfor %}
</tr>
{% endfor %}
</table>
{% for plot in plots %}
<img alt="{{ plot.name }} plot" src="data:image/png;base64,{{ plot.data }}">
{% endfor %}

<h2>AUC by sequence</h2>
{{ auc_table('sequence', sequences.rows) }}
{% if attributes %}
<h2>AUC by attribute (number of sequences)</h2>
{{ auc_table('attribute', attributes) }}
{% endif %}

<h2>Metrics</h2>
<table>
<tr><th>metric</th><th>better</th><th style="text-align: left">definition</th></tr>
{% for metric in metrics %}
<tr><td>{{ metric.name }}</td><td>{{ 'higher' if metric.higher_is_better else 'lower' }}</td>
<td style="text-align: left">{{ metric.definition }}</td></tr>
{% endfor %}
</table>

<h2>What was run</h2>
{% for label, lines in contenders.items() %}
<details>
<summary>{{ label }}</summary>
<pre>{{ lines | join('\n') }}</pre>
</details>
{% endfor %}
</body>
</html>
"""
