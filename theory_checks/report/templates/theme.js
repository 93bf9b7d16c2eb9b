
// Before anything is painted: the reader's own choice, where there is one.
try {
  const chosen = localStorage.getItem("theory-checks-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch { /* a browser that keeps nothing: the page follows the system */ }
