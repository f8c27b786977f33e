// Runs before anything is drawn, so that a chosen theme does not flash up after the other one.
(() => {
  const kept = /(?:^|;\s*)clearscene_page=([^;]*)/.exec(document.cookie);
  const theme = kept && new URLSearchParams(decodeURIComponent(kept[1])).get("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
