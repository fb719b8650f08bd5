// A box that scrolls sideways can be reached, and so scrolled, with the keyboard in every browser.
(() => {
  const mark = () => {
    for (const box of document.querySelectorAll('main pre > code, main .table-wrapper')) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
      } else {
        box.removeAttribute('tabindex');
      }
    }
  };
  addEventListener('load', mark);
  addEventListener('resize', mark);
})();
