// Loads what steps through timelines, where the page has one.
if (document.querySelector('figure.timeline')) {
  const script = document.createElement('script');
  script.src = `${path_to_root}timeline.js`;
  document.head.append(script);
}
