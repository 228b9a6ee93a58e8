// The files of the console, embedded by the compiler. Written by scripts/embed-ui.sh; do not edit.
#include "console.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char api_js[] = {
#embed "../Router/UI/api.js"
};
static const unsigned char charts_js[] = {
#embed "../Router/UI/charts.js"
};
static const unsigned char colours_js[] = {
#embed "../Router/UI/colours.js"
};
static const unsigned char compare_model_js[] = {
#embed "../Router/UI/compare-model.js"
};
static const unsigned char compare_js[] = {
#embed "../Router/UI/compare.js"
};
static const unsigned char dom_js[] = {
#embed "../Router/UI/dom.js"
};
static const unsigned char evidence_js[] = {
#embed "../Router/UI/evidence.js"
};
static const unsigned char format_js[] = {
#embed "../Router/UI/format.js"
};
static const unsigned char icon_svg[] = {
#embed "../Router/UI/icon.svg"
};
static const unsigned char icons_js[] = {
#embed "../Router/UI/icons.js"
};
static const unsigned char index_html[] = {
#embed "../Router/UI/index.html"
};
static const unsigned char main_js[] = {
#embed "../Router/UI/main.js"
};
static const unsigned char map_drawing_js[] = {
#embed "../Router/UI/map-drawing.js"
};
static const unsigned char map_edges_js[] = {
#embed "../Router/UI/map-edges.js"
};
static const unsigned char map_layout_js[] = {
#embed "../Router/UI/map-layout.js"
};
static const unsigned char map_js[] = {
#embed "../Router/UI/map.js"
};
static const unsigned char notices_js[] = {
#embed "../Router/UI/notices.js"
};
static const unsigned char pages_css[] = {
#embed "../Router/UI/pages.css"
};
static const unsigned char router_js[] = {
#embed "../Router/UI/router.js"
};
static const unsigned char scatter_js[] = {
#embed "../Router/UI/scatter.js"
};
static const unsigned char search_form_js[] = {
#embed "../Router/UI/search-form.js"
};
static const unsigned char search_query_js[] = {
#embed "../Router/UI/search-query.js"
};
static const unsigned char search_results_js[] = {
#embed "../Router/UI/search-results.js"
};
static const unsigned char search_js[] = {
#embed "../Router/UI/search.js"
};
static const unsigned char status_tables_js[] = {
#embed "../Router/UI/status-tables.js"
};
static const unsigned char status_js[] = {
#embed "../Router/UI/status.js"
};
static const unsigned char style_css[] = {
#embed "../Router/UI/style.css"
};
static const unsigned char theme_js[] = {
#embed "../Router/UI/theme.js"
};
static const unsigned char trace_detail_js[] = {
#embed "../Router/UI/trace-detail.js"
};
static const unsigned char trace_head_js[] = {
#embed "../Router/UI/trace-head.js"
};
static const unsigned char trace_keys_js[] = {
#embed "../Router/UI/trace-keys.js"
};
static const unsigned char trace_minimap_js[] = {
#embed "../Router/UI/trace-minimap.js"
};
static const unsigned char trace_model_js[] = {
#embed "../Router/UI/trace-model.js"
};
static const unsigned char trace_rows_js[] = {
#embed "../Router/UI/trace-rows.js"
};
static const unsigned char trace_statistics_js[] = {
#embed "../Router/UI/trace-statistics.js"
};
static const unsigned char trace_view_js[] = {
#embed "../Router/UI/trace-view.js"
};
static const unsigned char trace_why_js[] = {
#embed "../Router/UI/trace-why.js"
};
static const unsigned char trace_css[] = {
#embed "../Router/UI/trace.css"
};
static const unsigned char trace_js[] = {
#embed "../Router/UI/trace.js"
};

static const struct console_file files[] = {
    {"api.js", api_js, sizeof api_js},
    {"charts.js", charts_js, sizeof charts_js},
    {"colours.js", colours_js, sizeof colours_js},
    {"compare-model.js", compare_model_js, sizeof compare_model_js},
    {"compare.js", compare_js, sizeof compare_js},
    {"dom.js", dom_js, sizeof dom_js},
    {"evidence.js", evidence_js, sizeof evidence_js},
    {"format.js", format_js, sizeof format_js},
    {"icon.svg", icon_svg, sizeof icon_svg},
    {"icons.js", icons_js, sizeof icons_js},
    {"index.html", index_html, sizeof index_html},
    {"main.js", main_js, sizeof main_js},
    {"map-drawing.js", map_drawing_js, sizeof map_drawing_js},
    {"map-edges.js", map_edges_js, sizeof map_edges_js},
    {"map-layout.js", map_layout_js, sizeof map_layout_js},
    {"map.js", map_js, sizeof map_js},
    {"notices.js", notices_js, sizeof notices_js},
    {"pages.css", pages_css, sizeof pages_css},
    {"router.js", router_js, sizeof router_js},
    {"scatter.js", scatter_js, sizeof scatter_js},
    {"search-form.js", search_form_js, sizeof search_form_js},
    {"search-query.js", search_query_js, sizeof search_query_js},
    {"search-results.js", search_results_js, sizeof search_results_js},
    {"search.js", search_js, sizeof search_js},
    {"status-tables.js", status_tables_js, sizeof status_tables_js},
    {"status.js", status_js, sizeof status_js},
    {"style.css", style_css, sizeof style_css},
    {"theme.js", theme_js, sizeof theme_js},
    {"trace-detail.js", trace_detail_js, sizeof trace_detail_js},
    {"trace-head.js", trace_head_js, sizeof trace_head_js},
    {"trace-keys.js", trace_keys_js, sizeof trace_keys_js},
    {"trace-minimap.js", trace_minimap_js, sizeof trace_minimap_js},
    {"trace-model.js", trace_model_js, sizeof trace_model_js},
    {"trace-rows.js", trace_rows_js, sizeof trace_rows_js},
    {"trace-statistics.js", trace_statistics_js, sizeof trace_statistics_js},
    {"trace-view.js", trace_view_js, sizeof trace_view_js},
    {"trace-why.js", trace_why_js, sizeof trace_why_js},
    {"trace.css", trace_css, sizeof trace_css},
    {"trace.js", trace_js, sizeof trace_js},
};

size_t console_file_count(void) { return sizeof files / sizeof files[0]; }

const struct console_file *console_file_at(size_t index) {
    return index < console_file_count() ? &files[index] : 0;
}
