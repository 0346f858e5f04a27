"""A real browser without a window, for tests of HTML pages."""
from contextlib import contextmanager
import shutil

import pytest

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')


@contextmanager
def browser(width=1300, height=1000):
    """
    Yield a Selenium driver of headless Chromium, or skip the test where there is none.

    Its network is cut off, so a page shows only what it holds itself.
    """
    webdriver = pytest.importorskip('selenium.webdriver')
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which('chromedriver')
    if program is None or driver is None:
        pytest.skip('no chromium and chromedriver here (apt install chromium chromium-driver)')
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ('--headless=new', '--no-sandbox', '--disable-gpu',
                     '--disable-dev-shm-usage', '--disable-background-networking',
                     f'--window-size={width},{height}', '--host-resolver-rules=MAP * ~NOTFOUND'):
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    page = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield page
    finally:
        page.quit()
